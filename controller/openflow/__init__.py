"""OpenFlow 1.4 on the wire. Only `apps/` and this package (`compat.py`) know Ryu."""
