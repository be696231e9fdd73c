"""The demo: real mail through a whole edge, and what happened to each message, with the evidence."""
