"""The head of the reference page of personas; the rest comes from the grammar."""

HEAD = """\
# Personas

One YAML file for each tenant describes what [its decoys](../decoys.md#personas) look like. `make docs` generates this
page from the grammar that decoys themselves use. There are
[examples](../../policies/personas/debian-12/acme.yaml).

    postern check acme.yaml          report all errors at once; exit code 0 if the file is valid
    postern schema persona           print the JSON Schema, for editors

Texts are written as they are sent on the wire, without the line break at the end. Words in braces are replaced:
`{name}`, `{address}`, `{command}`, `{parameter}`, `{size}` and `{trace}` in SMTP, `{capabilities}` in IMAP's greeting,
`{features}` in FTP, and `{date}`, `{length}`, `{connection}` as values of HTTP headers.
"""
