"""Gives generations to those who ask, each the one of his ring, and tells them of new ones at once."""
