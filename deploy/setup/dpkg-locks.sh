# Waits for other package installations on this machine, and names the process. Sourced, never run.

LOCKS=(/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock)
LOCK_PATIENCE_S="${POSTERN_LOCK_PATIENCE_S:-600}"

# "PID (NAME)" of a process that holds one of the locks of apt and dpkg; nothing if none does.
# The kernel's list has "POSIX ADVISORY WRITE PID MAJOR:MINOR:INODE"; /proc/locks is in proc_locks(5).
lock_holder() {
    local file pid
    for file in "${LOCKS[@]}"; do
        [ -e "$file" ] || continue
        pid="$(awk -v inode=":$(stat -c %i "$file")" \
            '$2 == "POSIX" && substr($6, length($6) - length(inode) + 1) == inode { print $5; exit }' /proc/locks)"
        if [ -n "$pid" ]; then
            echo "process $pid ($(cat "/proc/$pid/comm" 2>/dev/null || echo "not visible here")), which holds $file"
            return
        fi
    done
}

wait_for_locks() {
    local deadline=$((SECONDS + LOCK_PATIENCE_S)) holder told=-30
    while holder="$(lock_holder)" && [ -n "$holder" ]; do
        if [ $((SECONDS - told)) -ge 30 ]; then
            say "waiting for $holder"
            told=$SECONDS
        fi
        [ "$SECONDS" -lt "$deadline" ] ||
            fail "$holder, has not ended within $LOCK_PATIENCE_S s; remedy: end it, then run 'make setup' again"
        sleep 1
    done
}
