#!/bin/bash
# deps.sh WHAT... - installs from Debian what is missing for `build` or `test`; says nothing and is quick when all is there.
set -euo pipefail

build_packages="gcc libc6-dev meson ninja-build pkg-config libmicrohttpd-dev libcurl4-gnutls-dev libgnutls28-dev libc-ares-dev
 libsqlite3-dev libzstd-dev libsnappy-dev libxxhash-dev libjansson-dev libyaml-dev libpcre2-dev libsodium-dev
 libsystemd-dev zlib1g-dev libcmocka-dev python3 ca-certificates"
test_packages="chromium bsdutils curl zstd groff-base e2fsprogs git openssh-client openssl util-linux"

missing() {
        local package
        for package in $1; do
                [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
        done
}

wanted=""
for what in "$@"; do
        case $what in
        build) wanted="$wanted $build_packages" ;;
        test) wanted="$wanted $test_packages" ;;
        *) wanted="$wanted $what" ;;
        esac
done
needed=$(missing "$wanted")
[ -n "$needed" ] || exit 0

root=""
if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "deps.sh: these packages are missing and only root may install them:" $needed >&2; exit 1; }
        root=sudo
fi
echo "installing from Debian:" $needed
$root apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $needed >/dev/null
