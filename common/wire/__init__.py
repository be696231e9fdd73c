"""Records that the controller and the programs on hosts exchange, as JSON.

Each record is declared here once: the side that writes it and the side that reads it import the same class.
Decision 026 says how two versions work together.
"""
