"""Answers to operators' questions about a running controller, as plain JSON values. Pure."""
