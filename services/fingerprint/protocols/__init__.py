"""The requests of each protocol, and the persona's keys for the answers. Pure: no socket, no clock."""
