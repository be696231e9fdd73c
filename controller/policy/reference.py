"""The head of the policy's reference page; the rest comes from the grammar."""

HEAD = """\
# The policy

One YAML file says everything: switches, uplinks, tenants, pools. This page is made from the grammar that the checker
itself reads (`make docs`); [`policies/demo.yaml`](../../policies/demo.yaml) is a whole example, and
[`policies/minimal.yaml`](../../policies/minimal.yaml) the smallest one.

    postern check FILE...          every mistake at once; exit code 0 when all files are good
    postern schema                 the JSON Schema, for editors
    postern plan FILE              what would change on which switch
    postern apply FILE             change it

An editor with a YAML language server completes and underlines keys after a first line such as
`# yaml-language-server: $schema=postern.schema.json` ([`policies/postern.schema.json`](../../policies/postern.schema.json)).

## What `postern check` prints

Of a good file, on standard output:

    policies/demo.yaml: good. 1 switch, 1 uplink, 2 tenants, 5 pools, 8 pool members.

Of a bad one, on standard error, one line for each mistake in the order of the file, then how many there are:

    policies/invalid/unknown-key.yaml:9:5: tenants.acme.prefixs: unknown key; remedy: use one of prefixes, gateways, home, mail, services, decoys, dark, limit_per_second, antivirus, consent_to_learning (did you mean prefixes?)
    policies/invalid/unknown-key.yaml: 1 mistake, nothing was applied

File, line and column, key, what is wrong, what to do. Lines and columns count from 1. The exit code is 0 when every file
is good, else 1. With `--json`, standard output holds one list of all files' mistakes, empty when there are none; each has
`file`, `line`, `column`, `key`, `message`, `remedy`, and the whole line as `text`. A file that cannot be read, or
cannot be carried out, has only `file`, `message` and `text`.

A file with any mistake changes nothing: the last good policy stays.
[`policies/invalid/`](../../policies/invalid) has a file for each kind of mistake.

A switch port is `SWITCH:PORT`: `s1:4`. Each carries one neighbour. In patterns of mail addresses, `*` stands for any part. The
first scan rule that holds decides. Names have at most 31 of `a-z`, `0-9` and `-`.

The examples below stand in the demo's policy; what it leaves out has none.
"""
