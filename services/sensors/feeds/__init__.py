"""Feeds: lists of bad prefixes that others publish, fetched, guarded, kept and handed to the controller."""
