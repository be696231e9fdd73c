"""Personas that are learned from real servers, and decoys that are compared with them.

A *look* is everything that somebody outside can see of a server. `learn` makes a persona file of a polite
look, `compare` finds the differences of two. What is asked of each protocol is data in `protocols/`;
`wire.py` asks a server, `rehearsal.py` asks a decoy's dialogue without any socket.
"""
