#!/bin/sh
# run.sh BUILD [--quick]: every comparison of bench/README.md, and one table at the end (also in BUILD/bench/table.md). Needs nobody's attention.
# CORPUS: a folder with *.log files to be the lines; without it they are made. --quick: smaller, once each, less than five minutes.
set -eu
build=$1
shift
here=$(dirname "$0")
ninja -C "$build" --quiet evenkeel load bench/ack_latency bench/detector_speed
for package in rsyslog victoria-metrics prometheus syslog-ng-core prometheus-alertmanager netdata-core sqlite3; do
        "$here/../scripts/peers.sh" "$build/peers" "$package" || echo "run.sh: no $package: its rows stay empty" >&2
done
mkdir -p "$build/bench"
python3 "$here/compare.py" --build "$build" --peers "$build/peers" --runs "${RUNS:-5}" all --corpus "${CORPUS:-made}" "$@" | tee "$build/bench/run.log"
sed -n '/^| | what/,$p' "$build/bench/run.log" >"$build/bench/table.md"
