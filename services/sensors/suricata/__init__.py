"""Suricata: alerts in its EVE format (JSON lines) become evidence about the attackers of a tenant."""
