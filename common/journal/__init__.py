"""The journal of every program: one form of line, and one catalogue of events."""
