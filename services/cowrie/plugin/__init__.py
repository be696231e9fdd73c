"""Code that runs inside a Cowrie process, in Cowrie's own environment, as its own user and without a network.

It imports only Twisted, Cowrie, the standard library and itself. Postern is not available there.
"""
