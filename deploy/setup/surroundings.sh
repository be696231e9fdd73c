# The environment of every script and every make target, independent of the caller's shell. Sourced first, never run.
# Kept from the caller: the user, POSTERN_*, and how this machine reaches the network (proxies, certificates, pip's index).

set +o posix
set -euo pipefail
umask 022 # root may have 077, and other users must be able to read what it installs
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8 # the output of apt and pip is parsed
# LANGUAGE beats LC_ALL; SOURCE_DATE_EPOCH and PBR_* change what gets built; the rest changes how programs are found.
unset LANG LANGUAGE CDPATH ENV BASH_ENV POSIXLY_CORRECT GREP_OPTIONS VIRTUAL_ENV SOURCE_DATE_EPOCH TMP TEMP \
    "${!PYTHON@}" "${!PBR_@}" "${!SETUPTOOLS_@}" "${!UV_@}"

# We set what pip installs and where; the machine's settings say how to reach an index.
for name in "${!PIP_@}"; do
    case "${name#PIP_}" in
    CACHE_DIR | CERT | CLIENT_CERT | CONFIG_FILE | DEFAULT_TIMEOUT | EXTRA_INDEX_URL | FIND_LINKS | INDEX_URL) ;;
    NO_CACHE_DIR | PROXY | RETRIES | TIMEOUT | TRUSTED_HOST) ;;
    *) unset "$name" ;;
    esac
done
export PIP_USER=0 # pip.conf may set this, but a virtual environment does not allow it
unset name

if [ -n "${TMPDIR:-}" ] && ! { [[ "$TMPDIR" = /* ]] && [ -d "$TMPDIR" ] && [ -w "$TMPDIR" ]; }; then
    unset TMPDIR
fi
if [ -z "${HOME:-}" ]; then
    HOME="$(getent passwd "$(id -u)" | cut -d: -f6)"
    export HOME="${HOME:-/}"
fi
