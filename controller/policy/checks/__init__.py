"""Checks of a policy as a whole. Each module reports through `Report`, with places in the text."""
