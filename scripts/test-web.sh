#!/bin/bash
# test-web.sh - the console's types and its plain logic.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/web.sh
cd web
npm run --silent check
npm run --silent unit -- --passWithNoTests=false
