# Shared by the scripts for both virtual environments. Sourced, never run.

source "$SETUP/progress.sh"

PYTHON="${POSTERN_PYTHON:-/usr/bin/python3}"

need_python() {
    local found
    [ -x "$(command -v "$PYTHON")" ] || fail "$PYTHON is missing; remedy: make setup, or set POSTERN_PYTHON to another interpreter"
    found="$("$PYTHON" -c 'import sys; print(*sys.version_info[:2], sep=".")')" || fail "$PYTHON does not run"
    "$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
        fail "Python 3.11, 3.12 or 3.13 is needed, but $PYTHON is $found; remedy: set POSTERN_PYTHON to another interpreter"
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$PYTHON cannot create virtual environments; remedy: make setup, or apt-get install python$found-venv"
}

interpreter() { "$PYTHON" -c 'import sys; print(sys.version, sys.executable)' 2>/dev/null || true; }

# Two set-ups may make the same environment; the second one waits, and then finds it complete.
lock_environment() { # DIRECTORY
    mkdir -p "$(dirname "$1")" 2>/dev/null || fail "$(dirname "$1") cannot be created; remedy: put $1 elsewhere"
    exec 8<"$(dirname "$1")"
    if ! flock --nonblock 8; then
        say "another set-up is making an environment here; waiting for it"
        flock 8
    fi
}

need_room() { # DIRECTORY MB
    local free_mb
    free_mb="$(df --output=avail -B 1MB "$1" | tail -n 1)"
    [ "$free_mb" -ge "$2" ] ||
        fail "$1 has $((free_mb)) MB free, but $2 MB are needed; remedy: free some space, or use another directory: docs/install.md"
}

# Empty the directory, but only if it is a complete or incomplete virtual environment.
make_environment() { # DIRECTORY MB
    if [ -e "$1" ] && [ -n "$(ls -A "$1")" ] && [ ! -e "$1/pyvenv.cfg" ] && [ ! -e "$1/postern-setup.begun" ]; then
        fail "$1 exists, but is not a virtual environment; remedy: use another directory, or remove it yourself"
    fi
    { mkdir -p "$1" && find "$1" -mindepth 1 -delete && touch "$1/postern-setup.begun"; } ||
        fail "$1 cannot be recreated, perhaps because it belongs to root; remedy: remove it, then run 'make setup' again"
    need_room "$1" "$2"
    attend "creating the virtual environment $(short "$1")" unknown_progress "$PYTHON" -m venv "$1" ||
        give_up "the virtual environment could not be created"
}

# pip's own output, from the environment's own pip.
pip_of() { # DIRECTORY ARGUMENT...
    local directory="$1"
    shift
    "$directory/bin/python" -m pip --disable-pip-version-check --no-input --no-color "$@"
}

pip_progress() { # LOG
    local count
    count="$(grep -cE '^(Collecting|Ignoring) ' "$1")"
    if grep -q '^Installing collected' "$1"; then
        echo "unpacking $count"
    elif [ "$count" -gt 0 ]; then
        echo "$count of $TOTAL"
    fi
}

# Ask the index for the first package of a list, with a short time-out: pip's own, with retries, takes minutes.
need_index() { # DIRECTORY LIST
    local trial
    [ -z "${INDEX_ANSWERS:-}" ] || return 0
    trial="$(temporary -d)"
    awk '/^[^ #]/ && first++ { exit } !/^#/' "$2" >"$trial/first.txt"
    attend "contacting the Python package index" unknown_progress pip_of "$1" download --no-deps --require-hashes \
        --timeout 10 --retries 1 --dest "$trial" -r "$trial/first.txt" || give_up "Python packages cannot be downloaded"
    rm -rf "$trial"
    INDEX_ANSWERS=yes
}

# The list is complete, so nothing is resolved, and later releases of a package have no effect.
install_list() { # LABEL DIRECTORY LIST OPTION...
    local label="$1" directory="$2" list="$3"
    shift 3
    need_index "$directory" "$list"
    TOTAL="$(count "$list")"
    attend "$label" pip_progress pip_of "$directory" install --no-deps --require-hashes --progress-bar off -r "$list" "$@" ||
        give_up "Python packages could not be installed into $(short "$directory")"
}

count() { cat "$@" | grep -c '=='; } # LIST...

stamp_fits() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; } # STAMP WANTED
