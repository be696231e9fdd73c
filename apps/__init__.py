"""Ryu applications: shims from the framework's events to the runtime."""
