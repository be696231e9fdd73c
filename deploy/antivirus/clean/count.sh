#!/bin/sh
# An everyday script.
set -eu
for file in "$@"; do
    wc -l "$file"
done
