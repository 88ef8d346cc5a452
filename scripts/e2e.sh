#!/bin/bash
# e2e.sh PROGRAM - as test-e2e.sh, and keeps a picture of every page in build/screenshots.
exec "$(dirname "$0")/test-e2e.sh" "$1" build/screenshots
