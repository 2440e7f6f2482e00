#!/bin/sh
# The ledger's trees, proofs and notes, against the second implementation.
exec "$PYTHON" ledger.py exchange "$LEDGER_PEER" "$VERIFY"
