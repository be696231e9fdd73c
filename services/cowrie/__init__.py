"""Cowrie as the SSH and Telnet part of the decoys: started, fed with connections, and read, from outside."""
