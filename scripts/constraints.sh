#!/usr/bin/env bash
# Write the versions that are installed in .venv into constraints.txt: names and versions, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
    echo "# The versions Sayso is tested with; written by \`make constraints\`."
    .venv/bin/python -m pip freeze --disable-pip-version-check --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ;@]+$' | grep -viE '^(sayso|uv)=='
} >"$new"
cat "$new" >constraints.txt
