"""Keeps the signatures of one client or scanner current, and never leaves it without working ones."""
