"""Sockets, TLS, timers: all input and output."""
