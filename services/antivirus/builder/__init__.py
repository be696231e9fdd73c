"""Builds generations of signatures: complete or not at all, tried by a canary, published by one switch."""
