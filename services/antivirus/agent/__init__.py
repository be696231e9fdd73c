"""Keeps the signatures of one client or scanner up to date, and never leaves it without working ones."""
