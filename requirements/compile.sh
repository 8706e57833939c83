#!/usr/bin/env bash
# Refreshes the pinned, hashed requirements from pyproject.toml. Needs uv (pip install uv); nobody else does.
# "./compile.sh" keeps the pins where they still fit; "./compile.sh --upgrade" takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/.."
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links)
uv pip compile "${options[@]}" "$@" pyproject.toml requirements/build.in -o requirements/run.txt
uv pip compile "${options[@]}" "$@" --group dev -c requirements/run.txt pyproject.toml requirements/build.in -o requirements/dev.txt
uv pip compile "${options[@]}" "$@" requirements/durable.in -o requirements/durable.txt
