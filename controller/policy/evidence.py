"""The kinds of evidence: the default weight and the meaning of each, and whether it proves its source.

A source is proved when it has answered us: it has completed a TCP handshake or
held a session. A lone SYN or a UDP packet may be forged, so it never leads to a
lasting decision, whatever its weight.
"""

EVIDENCE: dict[str, tuple[int, str]] = {
    "dark-packet": (1, "a packet for an address or port where nothing is published"),
    "scan": (5, "many addresses or ports were tried in a short time"),
    "flood": (5, "far more new connections than other sources open"),
    "decoy-connection": (10, "a connection to a decoy was completed; once for each address and port"),
    "decoy-login": (50, "a login was tried at a decoy"),
    "decoy-command": (30, "commands were run on a decoy"),
    "decoy-upload": (60, "a file was uploaded to a decoy"),
    "mail-malware": (3, "a message with malware was refused; honest servers also pass some on"),
    "mail-protocol-abuse": (10, "an SMTP session violated the protocol in a way that no honest client does"),
    "mail-dictionary": (10, "many recipients that do not exist were tried"),
    "auth-failure": (10, "a login failed at a tenant's own server (fail2ban)"),
    "ids-alert": (20, "an intrusion detection system raised an alert (Suricata)"),
}
# A client with a wrong port tries that one repeatedly; an attacker tries others.
ONCE_A_DOOR = frozenset({"decoy-connection"})
OF_DECOYS = frozenset({"decoy-connection", "decoy-login", "decoy-command", "decoy-upload"})
UNPROVEN = frozenset({"dark-packet", "scan", "flood"})
