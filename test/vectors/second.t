#!/bin/sh
# The second implementation makes and opens the committed vectors.
exec "$PYTHON" second.py --check pg_steward.json
