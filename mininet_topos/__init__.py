"""Topologies: what stands where. Run under the system's Python, where Mininet lives."""
