"""Proves, over all packets, what the flows that are installed on all switches let through.

docs/proof.md has the method, the model of a switch, the claims, and what is not modelled.
"""
