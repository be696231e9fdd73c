"""Closes ports in the kernel, before any listener: a small BPF program for the socket lookup.

A decoy listens at the wildcard for dark addresses, and so would also answer there for named hosts. For
each new connection the kernel asks our program (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9) whether the address
has that port. If not, the kernel answers as for a closed port: with the same reset as the real host, and
at the same speed. For hosts that drop packets it does not answer. `table.py` defines what is open,
`assembly.py` writes the program, `kernel.py` loads both into the kernel.
"""
