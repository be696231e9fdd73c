"""`postern-sensors`: what others know about bad sources, brought to the controller.

Feeds and a CrowdSec API become decisions of an origin of their own; alerts of a Suricata become
evidence. Nothing is decided here about the network: the controller weighs, and refuses.
"""
