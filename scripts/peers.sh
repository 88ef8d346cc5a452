#!/bin/sh
# peers.sh DIRECTORY PACKAGE... - fetches Debian packages and unpacks each into DIRECTORY/PACKAGE, for tests to compare with.
# Nothing is installed and nothing started. Libraries a program lacks on this machine are unpacked beside it.
set -eu

[ $# -ge 2 ] || { echo "usage: peers.sh DIRECTORY PACKAGE..." >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift

fetch() { # PACKAGE INTO: downloads and unpacks one package
        work=$(mktemp -d "$directory/.fetch.XXXXXX")
        (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$1" >/dev/null 2>fetch.err) ||
                { cat "$work/fetch.err" >&2; rm -rf "$work"; echo "peers: cannot fetch the package $1" >&2; return 1; }
        mkdir -p "$2"
        dpkg -x "$work"/*.deb "$2"
        rm -rf "$work"
}

lacks_libraries() { # INTO: whether a program in it misses a shared library
        find "$1" -type f \( -path '*/bin/*' -o -path '*/sbin/*' -o -path '*/lib/*' \) -perm -u+x 2>/dev/null |
                while read -r program; do ldd "$program" 2>/dev/null || true; done | grep -q 'not found'
}

for package in "$@"; do
        into=$directory/$package
        [ -e "$into/.unpacked" ] && continue
        rm -rf "$into"
        fetch "$package" "$into"
        if lacks_libraries "$into"; then
                apt-cache depends --important "$package" | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p' | while read -r library; do
                        dpkg -s "$library" >/dev/null 2>&1 || fetch "$library" "$into"
                done
        fi
        touch "$into/.unpacked"
done
