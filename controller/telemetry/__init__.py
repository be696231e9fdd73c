"""The controller's journal: the catalogue of its events, and where they are written."""
