#!/bin/sh
# The crypto floor makes and opens the committed vectors.
set -e
lines=$("$PYTHON" second.py --lines pg_steward.json)
printf "%s\n" "$lines" | "$PEER" check
