"""Switches, trunks and the ways between them. Pure."""
