"""Bands of priorities. A flow names its band; numbers stay here.

Prefix matches add their length, so that the longest prefix wins inside a band.
"""

MISS = 0  # the catch-all of a table
LOW = 1_000
NORMAL = 10_000
RAISED = 15_000  # an exception to a normal flow
HIGH = 20_000
OTHER_FRAGMENTS = 20_500  # first fragments to ports where nothing is published
FRAGMENTS = 21_000  # of published services; whole packets have HIGH
SUSPECT = 25_000  # decisions take precedence over published services
DENY = 30_000


def longest_prefix(band: int, prefix_length: int) -> int:
    return band + prefix_length
