"""The ground floor, for programs of the controller, of hosts and of the lab. Standard library only."""
