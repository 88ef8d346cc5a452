#!/bin/bash
# web.sh - builds web/dist when a source changed. Node and npm come from Debian where `node` is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v node >/dev/null && command -v npm >/dev/null || scripts/deps.sh nodejs npm

sources=$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
stamp=web/node_modules/.built
[ ! -f web/dist/index.html ] || [ "$(cat "$stamp" 2>/dev/null)" != "$sources" ] || exit 0

cd web
lock=$(sha256sum package-lock.json)
if [ "$(cat node_modules/.installed 2>/dev/null)" != "$lock" ]; then
        npm ci --no-fund --no-audit --loglevel=error
        echo "$lock" >node_modules/.installed
fi
npm run --silent build
cd ..
echo "$sources" >"$stamp"
