"""The dialogues of decoys, one file per protocol. Bytes in, bytes and events out; no socket or clock.

`base.py` is what they share; `choose.py` selects the dialogue for a service.
"""
