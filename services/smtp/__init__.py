"""SMTP as bytes and rules. No sockets, no clock."""
