"""The contract with the switch as data: tables, fields, registers, zones, priorities."""
