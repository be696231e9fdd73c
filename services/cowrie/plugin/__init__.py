"""What runs inside a Cowrie process, in Cowrie's own environment, as its own user and without a network.

Imports Twisted and Cowrie, the standard library, and itself; nothing of Postern, which is not there.
"""
