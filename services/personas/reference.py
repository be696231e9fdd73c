"""The head of the reference page of personas; the rest comes from the grammar."""

HEAD = """\
# Personas

One YAML file for each tenant says what [its decoys](../decoys.md#personas) look like. This page is made from the
grammar that decoys themselves read (`make docs`). There are
[examples](../../policies/personas/debian-12/acme.yaml).

    postern check acme.yaml          every mistake at once; exit code 0 when the file is good
    postern schema persona           the JSON Schema, for editors

Texts are as sent on the wire, without the line break at the end. Words in braces are filled in:
`{name}`, `{address}`, `{command}`, `{parameter}`, `{size}` and `{trace}` in SMTP, `{capabilities}` in IMAP's greeting,
`{features}` in FTP, and `{date}`, `{length}`, `{connection}` as values of HTTP headers.
"""
