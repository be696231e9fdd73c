"""Suricata: alerts in its EVE format (JSON lines) become evidence about whoever attacked a tenant."""
