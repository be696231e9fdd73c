"""The kinds of evidence: what each usually weighs, what it means, and whether it proves its source.

A source is proved when it has answered us: a TCP handshake was completed, or a
session led. A lone SYN or a UDP packet may be forged, so it never earns a decision
that lasts, whatever it weighs.
"""

EVIDENCE: dict[str, tuple[int, str]] = {
    "dark-packet": (1, "a packet for an address or port where nothing is published"),
    "scan": (5, "many addresses or ports were tried in a short time"),
    "flood": (5, "far more new connections than other sources open"),
    "decoy-connection": (10, "a connection to a decoy was completed; once for each address and port"),
    "decoy-login": (50, "a log-in was tried at a decoy"),
    "decoy-command": (30, "commands were given to a decoy"),
    "decoy-upload": (60, "a file was left at a decoy"),
    "mail-malware": (3, "a message with malware was refused: honest servers pass some on, too"),
    "mail-protocol-abuse": (10, "an SMTP session broke the protocol in a way that no honest client does"),
    "mail-dictionary": (10, "many recipients were tried that do not exist"),
    "auth-failure": (10, "a log-in failed at a tenant's own server (fail2ban)"),
    "ids-alert": (20, "an intrusion detection system raised an alert (Suricata)"),
}
# Whoever mistakes a port tries it again and again; who is up to something tries others.
ONCE_A_DOOR = frozenset({"decoy-connection"})
UNPROVEN = frozenset({"dark-packet", "scan", "flood"})
