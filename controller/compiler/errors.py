"""The one error of the compiler that an operator can cause."""


class CompileError(Exception):
    """Two rules of a well-formed policy conflict; the text names them."""
