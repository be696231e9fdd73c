"""Shared by programs of the controller, of hosts and of the lab. Imports none of them."""
