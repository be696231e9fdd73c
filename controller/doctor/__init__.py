"""Checks whether this machine is ready. Each file collects facts about one part, and judges them purely."""
