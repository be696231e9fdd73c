"""The head of the reference page of the sensors' settings; the rest comes from the grammar."""

HEAD = """\
# The sensors' settings

One YAML file for [`postern-sensors`](../sensors.md). `make docs` generates this page from the grammar that
the program itself uses. [`deploy/sensors/sensors.yaml`](../../deploy/sensors/sensors.yaml) is an example.

    postern check sensors.yaml       report all errors at once; exit code 0 if the file is valid
    postern schema sensors           print the JSON Schema, for editors

`feeds` and `suricata` contain sensors by name. A name has at most 40 characters from `a-z`, `0-9`, `-` and `_`.
"""
