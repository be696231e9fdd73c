"""Sockets, TLS, timers: everything that touches the world."""
