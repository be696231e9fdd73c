"""The mail gateway: stands transparently between any client and a tenant's own mail server.

`protocol/` is bytes and rules without sockets, `relay/` the dialogue of one
session, `shell/` sockets, TLS and timers, `main.py` the program.
"""
