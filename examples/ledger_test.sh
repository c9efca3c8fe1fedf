#!/usr/bin/env bash
#   ledger_test.sh <ledger_test.py> <ledger binary>
exec python3 "$@"
