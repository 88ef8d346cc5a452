#!/bin/bash
# docs.sh PROGRAM - writes the reference pages that the program itself knows.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
"$program" openapi --markdown >docs/reference/api.md
"$program" man --markdown >docs/reference/cli.md
"$program" man >docs/evenkeel.1
"$program" manual configuration >docs/reference/configuration.md
"$program" manual packs >docs/reference/packs.md
scripts/docs_tables.py
