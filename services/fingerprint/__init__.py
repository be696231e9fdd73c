"""Learns personas from real servers, and compares decoys with them.

A *look* is everything that is visible of a server from outside. `learn` makes a persona file from a polite
look; `compare` finds the differences between two looks. The requests of each protocol are data in
`protocols/`; `client.py` sends them to a server, `dry_run.py` to a decoy's dialogue without a socket.
"""
