# What the set-up scripts share: places, groups of packages, speaking, failing, root. Sourced, never run.
# Owns no step of the set-up.

source "${BASH_SOURCE[0]%/*}/surroundings.sh"

REPOSITORY="$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)"
SETUP="$REPOSITORY/deploy/setup"
ENVIRONMENT="$(realpath -m "${POSTERN_VENV:-$REPOSITORY/.venv}")"
COWRIE_ENVIRONMENT="$(realpath -m "${POSTERN_COWRIE_VENV:-$REPOSITORY/.venv-cowrie}")"
COWRIE_USER=postern-cowrie
cd "$REPOSITORY"
trap 'exit 130' INT # pip makes its own end of it, and a script would go on
trap 'exit 143' TERM HUP

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# mktemp(1), and one sentence if there is no room for that.
temporary() { # OPTION...
    mktemp "$@" 2>/dev/null ||
        fail "no file can be written in ${TMPDIR:-/tmp}; remedy: free some space there, then 'make setup' again"
}

# The names of the groups that a group consists of: what the tests need is beside what the demo needs.
groups_in() { # GROUP
    case "$1" in
    demo) echo demo ;;
    test) echo demo test ;;
    *) fail "there is no group '$1' of packages; remedy: demo or test" ;;
    esac
}

# A path as people like to read it.
short() { echo "${1#"$REPOSITORY"/}"; }

# Variables that cross sudo: ours, and how to reach the network.
crossing() {
    compgen -e | grep -E '^(POSTERN_.*|PIP_.*|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|APT_CONFIG)$|_proxy$|_PROXY$' |
        paste -sd, -
}

need_sudo() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || fail "this needs root, and there is no sudo; remedy: run it as root, or install sudo"
    [ -t 0 ] || sudo -n true 2>/dev/null ||
        fail "this needs root, and sudo cannot ask for a password without a terminal; remedy: run it in a terminal, or as root"
}

# Run a command as root: directly, or by sudo, which has ideas of its own about PATH and umask.
as_root() {
    need_sudo
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        # shellcheck disable=SC2016
        sudo --preserve-env="$(crossing)" "$SETUP/shell" -c 'exec "$0" "$@"' "$@"
    fi
}
