"""The responder: answers mail while no pool member is available, so that senders get a reply.

`dialogue.py` is the dialogue, without sockets; `settings.py` what the controller
published; `server.py` sockets and timers; `main.py` the program.
"""
