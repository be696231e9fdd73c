"""The one error of the compiler that an operator can cause."""


class CompileError(Exception):
    """Two rules of a well-formed policy cannot both be carried out; the text names them."""
