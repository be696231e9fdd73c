"""SMTP and clamd as bytes and rules. No sockets, no clock."""
