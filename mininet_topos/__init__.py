"""Topologies. They run under the system's Python, where Mininet is installed."""
