"""Suspicious sources, the reasons, and until when: evidence, scores, decisions. Pure; time is a parameter."""
