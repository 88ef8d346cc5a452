#!/bin/sh
# run.sh BUILD: every comparison of bench/README.md. CORPUS: a folder with *.log files, for those of log lines.
set -eu
build=$1
here=$(dirname "$0")
"$here/../scripts/peers.sh" "$build/peers" rsyslog victoria-metrics prometheus
compare() { echo "== $*"; python3 "$here/compare.py" --build "$build" --peers "$build/peers" "$@"; }
if [ -n "${CORPUS:-}" ]; then
        compare syslog "$CORPUS"
        compare query-logs "$CORPUS"
else
        echo "run.sh: set CORPUS to a folder with *.log files to compare log lines too" >&2
fi
compare remote-write 100000 60
compare remote-write 10000 1440
compare acknowledge
compare idle
compare query-metrics
