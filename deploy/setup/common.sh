# Shared by the set-up scripts: paths, groups of packages, output, errors, root. Sourced, never run.
# Contains no step of the set-up.

source "${BASH_SOURCE[0]%/*}/surroundings.sh"

REPOSITORY="$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)"
SETUP="$REPOSITORY/deploy/setup"
ENVIRONMENT="$(realpath -m "${POSTERN_VENV:-$REPOSITORY/.venv}")"
COWRIE_ENVIRONMENT="$(realpath -m "${POSTERN_COWRIE_VENV:-$REPOSITORY/.venv-cowrie}")"
COWRIE_USER=postern-cowrie
cd "$REPOSITORY"
trap 'exit 130' INT # pip handles it itself, and a script would continue
trap 'exit 143' TERM HUP

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# mktemp(1), with one sentence if it fails.
temporary() { # OPTION...
    mktemp "$@" 2>/dev/null ||
        fail "no file can be written in ${TMPDIR:-/tmp}; remedy: free some space there, then run 'make setup' again"
}

# The names of the groups that a group consists of: the tests need the demo's packages, too.
groups_in() { # GROUP
    case "$1" in
    demo) echo demo ;;
    test) echo demo test ;;
    *) fail "there is no group '$1' of packages; remedy: use demo or test" ;;
    esac
}

# A path, relative to the checkout if it is inside.
short() { echo "${1#"$REPOSITORY"/}"; }

# Variables that cross sudo: ours, and how to reach the network.
crossing() {
    compgen -e | grep -E '^(POSTERN_.*|PIP_.*|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|APT_CONFIG)$|_proxy$|_PROXY$' |
        paste -sd, -
}

need_sudo() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || fail "this needs root, but sudo is not installed; remedy: run it as root, or install sudo"
    [ -t 0 ] || sudo -n true 2>/dev/null ||
        fail "this needs root, but sudo cannot ask for a password without a terminal; remedy: run it in a terminal, or as root"
}

# Run a command as root: directly, or by sudo, which sets its own PATH and umask.
as_root() {
    need_sudo
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        # shellcheck disable=SC2016
        sudo --preserve-env="$(crossing)" "$SETUP/shell" -c 'exec "$0" "$@"' "$@"
    fi
}
