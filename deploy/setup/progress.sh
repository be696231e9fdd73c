# Runs long commands out of sight, shows how far they are, and says in one sentence why one failed. Sourced, never run.

INTERVAL_S=10 # between two lines, where nobody sits at a terminal

is_terminal() { [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; }

# Show how far a command is until its shell is gone: one line that is rewritten, or now and then one more.
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

# Run a command with its output in a file. PROGRESS is a function that reads that file and prints how far it is.
# Returns the command's exit code; if it is not 0, LOG names the file, and it stays, for anybody to read.
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

# Say why the command that LOG tells about failed, and end.
give_up() { # WHAT
    local why
    why="$(explain "$LOG")"
    if [ -z "$why" ]; then
        tail -n 15 "$LOG" >&2
        why="see above; remedy: fix that, then 'make setup' again"
    fi
    fail "$1: $why (full output: $LOG)"
}

# One sentence with a remedy for what apt-get and pip print when they fail; nothing if it is something else.
# What keeps a program from the network comes first: a package is "not there", too, where no index can be read.
explain() { # FILE...
    local again="then 'make setup' again" found
    if grep -qE 'No space left on device|enough free space|Disk quota exceeded' "$@"; then
        echo "the disk is full; remedy: free some space (df -h shows where), $again"
    elif found="$(unreachable "$@")" && [ -n "$found" ]; then
        echo "$found cannot be reached; remedy: check the network and the proxy settings (http_proxy, https_proxy), $again"
    elif grep -qE 'CERTIFICATE_VERIFY_FAILED|certificate verification failed|certificate is NOT trusted' "$@"; then
        echo "a certificate on the way is not trusted; remedy: PIP_CERT=its authority's file, $again"
    elif grep -qE 'DO NOT MATCH THE HASHES|Hash Sum mismatch' "$@"; then
        echo "something on the way altered what was downloaded; remedy: another mirror or proxy, $again"
    elif found="$(absent "$@")" && [ -n "$found" ]; then
        echo "there is no package $found for this machine; remedy: sources that have it, $again"
    elif found="$(broken "$@")" && [ -n "$found" ]; then
        echo "dpkg cannot finish $found; remedy: dpkg --configure -a shows why, $again"
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
