#!/bin/sh
# Fresh random values and wraps, sealed on either side, open on the other.
exec "$PYTHON" second.py --verify-c "$PEER"
