"""Which ports are shut, decided in the kernel before any listener: a small program of the socket lookup.

A decoy listens at the wildcard for dark addresses, and so would answer there for named hosts as well.
The kernel asks our program (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9) for each new connection whether that
address has that port. If not, the kernel answers as if nobody listened: the same reset, at the same
speed, as the real host's; or, for hosts that keep silent, nothing at all. `table.py` says what is open,
`assembly.py` writes the program, `kernel.py` gives both to the kernel.
"""
