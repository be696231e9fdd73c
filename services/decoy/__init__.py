"""Decoys: hosts that exist to be attacked, and look like the tenant's own servers while they are.

`persona` is what each host looks like, as data; `dialogues` what is said, bytes in and events
and bytes out; `cowrie` runs SSH and Telnet. Nothing here begins a connection to anybody but the
controller's own socket.
"""
