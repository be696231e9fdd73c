"""Policy in, desired flows and groups of every switch out. Pure: no clock, socket, random or log."""
