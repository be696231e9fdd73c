# What the scripts for pristine roots share. Sourced, never run.

unset CDPATH # or cd would print where it went
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
REPOSITORY="$(cd "$HERE/../.." && pwd)"
source "$REPOSITORY/deploy/setup/surroundings.sh"
ROOTS="${POSTERN_FRESH_DIR:-/var/tmp/postern-fresh}"
NEWCOMER=newcomer

say() { printf 'fresh: %s\n' "$*"; }

fail() {
    printf 'fresh: %s\n' "$*" >&2
    exit 1
}

need_root() { [ "$(id -u)" -eq 0 ] || fail "this needs root, for mounts; remedy: sudo $0"; }

# Debian's name for a release number.
codename() {
    case "$1" in
    12) echo bookworm ;;
    13) echo trixie ;;
    *) fail "unknown Debian release '$1'; known: 12, 13" ;;
    esac
}
