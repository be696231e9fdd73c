"""The mail gateway: a transparent SMTP proxy between any client and a tenant's own mail server.

`relay/` is the dialogue of one session and runs in memory, `io/` has sockets, TLS and deadlines, `main.py` is
the program.
"""
