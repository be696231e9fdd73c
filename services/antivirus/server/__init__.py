"""Serves generations to clients, to each the one of its ring, and announces new ones at once."""
