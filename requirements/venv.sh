#!/bin/sh
# venv.sh FOLDER [PYTHON]: a virtual environment in FOLDER, with PYTHON or the first Python >= 3.11 found.
# Leaves a working one alone; where none can be made it says what is missing.
set -eu
venv=$1
wanted=${2-}

if [ ! -e "$venv/.stale" ] && [ -z "$wanted" ] &&
    "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exit 0
fi

too_old= no_venv=
for candidate in ${wanted:-python3.13 python3.12 python3.11 python3}; do
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if ! "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        too_old="$candidate is Python $version"
    elif ! "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
        no_venv="${no_venv:-$version}"
    else
        echo "making $venv with $candidate (Python $version)"
        "$candidate" -m venv --clear "$venv"
        exit 0
    fi
done

if [ -n "$no_venv" ]; then
    echo "error: Python $no_venv is here, but its venv module is not complete." >&2
    echo "Install the system package python3-venv (Debian, Ubuntu: apt install python$no_venv-venv), then run make again." >&2
elif [ -n "$too_old" ]; then
    echo "error: gitsync needs Python 3.11 or newer, and $too_old." >&2
    echo "Install the system packages python3 and python3-venv in version 3.11 or newer, or run: make PYTHON=/path/to/python3.11" >&2
elif [ -n "$wanted" ]; then
    echo "error: $wanted is not a Python that can be run." >&2
    echo "Run make without PYTHON=, or name a Python 3.11 or newer." >&2
else
    echo "error: no Python found." >&2
    echo "Install the system packages python3 and python3-venv (3.11 or newer), or run: make PYTHON=/path/to/python3.11" >&2
fi
exit 1
