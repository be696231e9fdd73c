"""Decoys: hosts that exist to be attacked, and look like the tenant's own servers.

`services.personas` describes what each host looks like; `dialogues` implement the protocols, bytes
in, events and bytes out; `services.cowrie` runs SSH and Telnet. A decoy opens no connection except to
the controller's unix socket.
"""
