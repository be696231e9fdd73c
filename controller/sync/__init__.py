"""Desired and installed state: their difference, one plan, and whether the switch confirmed it."""
