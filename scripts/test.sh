#!/bin/bash
# test.sh DIRECTORY - runs all tests: those of Meson (units, corpora, voyages, peers), the rooms' order, the browser, and a game day.
# Ends with the count on a line of its own.
set -uo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
passed=0 failed=0 skipped=0

count() { # name, exit status: 0 passed, 77 skipped
        case $2 in
        0) passed=$((passed + 1)) ;;
        77) skipped=$((skipped + 1)) ;;
        *) failed=$((failed + 1)); echo "FAILED: $1" ;;
        esac
}

meson test -C "$build" --print-errorlogs --num-processes 2 --timeout-multiplier 3 # a busy machine may take its time
read -r ok bad jumped < <(python3 - "$build/meson-logs/testlog.json" <<'P'
import json, sys
ok = bad = skipped = 0
for line in open(sys.argv[1]):
    result = json.loads(line)["result"]
    if result == "OK":
        ok += 1
    elif result == "SKIP":
        skipped += 1
    else:
        bad += 1
print(ok, bad, skipped)
P
)
passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + jumped))

python3 scripts/tidy.py; count tidy $?
for extra in web e2e demo; do
        [ -x "scripts/test-$extra.sh" ] || continue
        "scripts/test-$extra.sh" "$build/evenkeel"; count "$extra" $?
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
