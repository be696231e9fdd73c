"""Personas: what the decoys of a tenant look like, read from a file that people can review.

`load.py` and `parse.py` are the entry points; `model.py` is the result.
"""
