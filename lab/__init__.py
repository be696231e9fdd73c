"""The lab: a topology with its switches, hosts, controller and services, brought up and taken down as one.

`lab.lab.Lab` is the door; everything else is a room behind it. The lab starts
real programs and reads what they say; it decides nothing about mail or flows.
"""
