"""The controller's API on a member's own host: for hosts that share no disk with the controller.

`access.py` is the client: TLS, and the token that no other program on the host can read;
`relay.py` the unix socket that offers the API here as on the controller's own host;
`mirror.py` keeps the pool's settings file up to date; `main.py` is the program.
"""
