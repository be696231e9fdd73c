"""What can go wrong in the lab, said to the person who called it."""


class LabError(Exception):
    """The lab cannot do what was asked. The text says what is wrong and what to do about it."""


class UnhealthyError(LabError):
    """A part of the lab does not work; the text names it, and has the end of its log."""


class NotUpError(LabError):
    """Something was asked of a lab that is not up."""
