"""The one error of the compiler that an operator can cause."""


class CompileError(Exception):
    """Two rules of a well-formed policy conflict; the text names them, with a remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; remedy: {remedy}")
        self.message, self.remedy = message, remedy
