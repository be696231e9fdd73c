"""Builds generations of signatures: complete or not at all, tested by a canary, published atomically."""
