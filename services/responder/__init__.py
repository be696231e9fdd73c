"""The responder: answers mail that no pool can take, so that senders hear a reply instead of silence.

`dialogue.py` is what is said, without sockets; `settings.py` what the controller
published; `answering.py` sockets and timers; `main.py` the program.
"""
