"""`postern-sensors`: brings what other systems know about bad sources to the controller.

Feeds and a CrowdSec API become decisions, each with its own origin; Suricata's alerts become
evidence. Sensors do not decide about the network: the controller weighs and may refuse.
"""
