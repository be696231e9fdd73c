"""The programs of the lab, one file for each kind: what they read, how they start, when they are healthy."""
