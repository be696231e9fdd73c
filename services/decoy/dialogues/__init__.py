"""What decoys say, one file for each protocol. Bytes in, bytes and events out: no socket, clock or chance.

`base.py` is what they share, `choose.py` finds the one for a service.
"""
