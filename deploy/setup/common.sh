# What the set-up scripts share: speaking, failing, root, and keeping long output out of sight.
# Sourced, never run. Owns no step of the set-up.

set -euo pipefail

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
SETUP="$REPOSITORY/deploy/setup"
ENVIRONMENT="${POSTERN_VENV:-$REPOSITORY/.venv}"
COWRIE_ENVIRONMENT="${POSTERN_COWRIE_VENV:-$REPOSITORY/.venv-cowrie}"
COWRIE_USER=postern-cowrie

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# Run a command as root: directly, or by sudo if this is somebody else.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "'$1' needs root, and there is no sudo; remedy: run 'make setup' as root"
    fi
}

# Run a command out of sight. If it fails, show the end of what it said, and fail likewise.
quietly() {
    local log code=0
    log="$(mktemp)"
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if [ "$code" -ne 0 ]; then
        printf 'setup: this failed with exit code %s: %s\n' "$code" "$*" >&2
        tail -n 40 "$log" >&2
    fi
    rm -f "$log"
    return "$code"
}
