"""The head of the policy's reference page; the rest comes from the grammar."""

HEAD = """\
# The policy

One YAML file describes everything: switches, uplinks, tenants, pools. `make docs` generates this page from the grammar
that the checker uses. [`policies/demo.yaml`](../../policies/demo.yaml) is a complete example, and
[`policies/minimal.yaml`](../../policies/minimal.yaml) the smallest one.

    postern check FILE...          report all errors at once; exit code 0 if all files are valid
    postern schema                 print the JSON Schema, for editors
    postern plan FILE              show what would change on which switch
    postern apply FILE             apply the policy

An editor with a YAML language server completes and checks keys if the file begins with a line such as
`# yaml-language-server: $schema=postern.schema.json` ([`policies/postern.schema.json`](../../policies/postern.schema.json)).

## What `postern check` prints

For a valid file, on standard output:

    policies/demo.yaml: valid. 1 switch, 1 uplink, 2 tenants, 5 pools, 8 pool members.

For an invalid file, on standard error: one line for each error in the order of the file, then their number:

    policies/invalid/unknown-key.yaml:9:5: tenants.acme.prefixs: unknown key; remedy: use one of prefixes, gateways, home, mail, services, decoys, dark, limit_per_second, antivirus, consent_to_learning (did you mean prefixes?)
    policies/invalid/unknown-key.yaml: 1 error

Each line has the file, line and column, the key, what is wrong, and what to do. Lines and columns count from 1. The exit
code is 0 if every file is valid, otherwise 1. With `--json`, standard output is one list of the errors in all files,
which is empty if there are none. Each has `file`, `line`, `column`, `key`, `message`, `remedy`, and the whole line as
`text`. A file that cannot be read or cannot be applied has only `file`, `message` and `text`.

A file with any error changes nothing: the last good policy stays in force.
[`policies/invalid/`](../../policies/invalid) has a file for each kind of error.

A switch port is written `SWITCH:PORT`: `s1:4`. Exactly one neighbour is connected to each port. In patterns of mail
addresses, `*` stands for any part. The first scan rule that matches applies. Names have at most 31 characters from `a-z`, `0-9` and `-`.

The examples below are from the demo's policy; a key that it does not use has no example.
"""
