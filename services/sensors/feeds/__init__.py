"""Feeds: published lists of bad prefixes. They are fetched, checked, kept and sent to the controller."""
