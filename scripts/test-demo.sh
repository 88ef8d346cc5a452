#!/bin/bash
# test-demo.sh PROGRAM - one game day with a fixed seed: every fault must be detected, and nobody is told anything while nothing is broken.
# About eleven minutes, nearly all of it waiting.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "$1")
exec timeout 2400 python3 demo/demo.py "$program" "$(dirname "$program")/peers" --seeds 1 --first 1
