"""Switches, trunks and the paths between them. Pure."""
