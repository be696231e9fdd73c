"""Records that the controller and the programs on hosts exchange, as JSON.

Each record is declared once, here: the writing side and the reading side import the same class.
Decision 026 describes how two versions work together.
"""
