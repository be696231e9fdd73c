"""Desired against installed: what differs, one plan, and whether the switch confirmed it."""
