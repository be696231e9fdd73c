"""Drift: what a switch holds although Postern did not put it there, and what is missing. Pure."""
