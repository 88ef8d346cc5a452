#!/bin/bash
# build.sh DIRECTORY - configures once, builds with Ninja, warnings as errors. The program is DIRECTORY/evenkeel.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
[ -f "$build/build.ninja" ] || meson setup "$build" >/dev/null
ninja -C "$build" --quiet
