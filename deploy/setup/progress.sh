# Runs long commands in the background, shows their progress, and says in one sentence why one failed. Sourced, never run.

INTERVAL_S=10 # between two lines, without a terminal

is_terminal() { [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; }

# Show the progress of a command until its shell ends: one updating line, or a new line every INTERVAL_S.
tick() { # SHELL LABEL PROGRESS LOG
    local begun=$SECONDS shown=$SECONDS text
    while kill -0 "$1" 2>/dev/null; do
        text="$("$3" "$4" 2>/dev/null || true)"
        text="$2${text:+: $text}"
        if is_terminal; then
            printf '\r\033[Ksetup: %.60s (%s s)' "$text" $((SECONDS - begun))
        elif [ $((SECONDS - shown)) -ge "$INTERVAL_S" ]; then
            shown=$SECONDS
            say "$text ($((SECONDS - begun)) s)"
        fi
        sleep 0.5
    done
}

unknown_progress() { :; }

# Run a command with its output in a file. PROGRESS is a function that reads that file and prints the progress.
# Returns the command's exit code; if it is not 0, the file stays, readable by all users, and LOG names it.
attend() { # LABEL PROGRESS COMMAND...
    local label="$1" progress="$2" begun=$SECONDS code=0 ticker
    shift 2
    LOG="$(temporary -t postern-setup.XXXXXX)"
    is_terminal || say "$label"
    tick "$$" "$label" "$progress" "$LOG" &
    ticker=$!
    "$@" >"$LOG" 2>&1 </dev/null || code=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    if is_terminal; then
        printf '\r\033[K'
    fi
    chmod 644 "$LOG"
    if [ "$code" -eq 0 ]; then
        rm -f "$LOG"
        if is_terminal || [ $((SECONDS - begun)) -ge "$INTERVAL_S" ]; then
            say "$label: done ($((SECONDS - begun)) s)"
        fi
    fi
    return "$code"
}

# Say why the command that wrote LOG failed, and end.
give_up() { # WHAT
    local why
    why="$(explain "$LOG")"
    if [ -z "$why" ]; then
        tail -n 15 "$LOG" >&2
        why="see above; remedy: fix this, then run 'make setup' again"
    fi
    fail "$1: $why (full output: $LOG)"
}

# One sentence with a remedy for failures of apt-get and pip; nothing for an unknown failure.
# Network failures come first: without an index, packages are reported as missing, too.
explain() { # FILE...
    local again="then run 'make setup' again" found
    if grep -qE 'No space left on device|enough free space|Disk quota exceeded' "$@"; then
        echo "the disk is full; remedy: free some space (df -h shows where), $again"
    elif found="$(unreachable "$@")" && [ -n "$found" ]; then
        echo "$found cannot be reached; remedy: check the network and the proxy settings (http_proxy, https_proxy), $again"
    elif grep -qE 'CERTIFICATE_VERIFY_FAILED|certificate verification failed|certificate is NOT trusted' "$@"; then
        echo "a TLS certificate is not trusted; remedy: set PIP_CERT to the file of its authority, $again"
    elif grep -qE 'DO NOT MATCH THE HASHES|Hash Sum mismatch' "$@"; then
        echo "a download does not match its hash; remedy: use another mirror or proxy, $again"
    elif found="$(absent "$@")" && [ -n "$found" ]; then
        echo "there is no package $found for this machine; remedy: add a package source that has it, $again"
    elif found="$(broken "$@")" && [ -n "$found" ]; then
        echo "dpkg cannot configure $found; remedy: run dpkg --configure -a to see why, fix this, $again"
    fi
}

# The first host or index that could not be reached.
unreachable() { # FILE...
    local trouble='Temporary failure|Could not resolve|Could not connect|Unable to connect|Cannot initiate|timed out'
    trouble+='|Network is unreachable|Failed to establish|NameResolutionError|ConnectTimeout|ProxyError|Connection refused'
    trouble+='|Connection failed'
    grep -hE "$trouble" "$@" | sed -nE \
        -e "s/.*(resolving|resolve|connect to|connection to) '?([][A-Za-z0-9.:-]*[A-Za-z0-9]).*/\2/; t found" \
        -e "s/.*host='?([^',]*)'?,.*/\1/; t found" -e "s/.*Retrying .*/the index of Python packages/; t found" \
        -e "s/.*/the network/" -e ": found" -e "1p"
}

absent() { # FILE...
    sed -nE -e 's/^E: Unable to locate package (.*)/\1/p' -e "s/^E: Package '(.*)' has no installation candidate/\1/p" \
        -e 's/^ERROR: No matching distribution found for ([^ ]*).*/\1/p' "$@" | paste -sd' ' -
}

broken() { sed -nE '/^Errors were encountered while processing:/,/^[^ E]/ s/^ (.*)/\1/p' "$@" | paste -sd' ' -; } # FILE...
