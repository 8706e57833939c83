#!/bin/sh
# Runs the newest Python (3.11 or later, able to make virtual environments) with the arguments given.
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            exec "$candidate" "$@"
        fi
        no_venv=$candidate
    fi
done
if [ -n "${no_venv:-}" ]; then
    echo "Herenow: $no_venv cannot make virtual environments. Install its venv package (Debian, Ubuntu: apt install python3-venv) and run make again." >&2
else
    echo "Herenow needs Python 3.11 or newer, and none was found. Install it, or name one: make run PYTHON=/path/to/python3.11" >&2
fi
exit 1
