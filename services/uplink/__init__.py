"""The controller's API on a member's own host: for hosts that share no disk with the controller.

`access.py` is the way there: TLS, and the token that nobody else on the host sees;
`relay.py` the unix socket here, where everything finds the API as beside the controller;
`following.py` keeps the pool's settings file as the controller has it; `main.py` the program.
"""
