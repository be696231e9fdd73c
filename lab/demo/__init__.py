"""The demo: real mail through a whole edge, and what became of each message, with the evidence."""
