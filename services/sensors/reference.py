"""The head of the reference page of the sensors' settings; the rest comes from the grammar."""

HEAD = """\
# The sensors' settings

One YAML file for [`postern-sensors`](../sensors.md). This page is made from the grammar that the program
itself reads (`make docs`); [`deploy/sensors/sensors.yaml`](../../deploy/sensors/sensors.yaml) is an example.

    postern check sensors.yaml       every mistake at once; exit code 0 when the file is good
    postern schema sensors           the JSON Schema, for editors

`feeds` and `suricata` hold sensors by name: at most 40 of `a-z`, `0-9`, `-` and `_`.
"""
