"""Cowrie as the SSH and Telnet part of the decoys: starts it, passes connections to it, reads its events."""
