#!/bin/bash
# test-e2e.sh PROGRAM [SCREENSHOTS] - the console in Chromium against the real program; 77 without Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/web.sh
exec timeout 900 node tests/e2e/e2e.mjs "$(realpath "$1")" ${2:+"$2"}
