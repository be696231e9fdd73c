"""The lab: a topology with its switches, hosts, controller and services, brought up and taken down as one.

Use `lab.lab.Lab`; the other modules serve it. The lab starts real programs and reads
their logs; it decides nothing about mail or flows.
"""
