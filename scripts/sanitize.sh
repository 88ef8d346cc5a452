#!/bin/bash
# sanitize.sh asan|tsan [TEST...] - builds apart with gcc's sanitizers (address, leak and undefined; or thread) and runs what
# touches memory and threads: unit tests, corpora, scenarios, torture and voyage, then the whole program killed under load.
# Anything a sanitizer says ends the test that saw it. Ends with a count.
set -uo pipefail
cd "$(dirname "$0")/.."
what=${1:-}
shift || true
case $what in
asan) flags=address,undefined suites="--suite unit --suite corpus --suite scenario --suite torture --suite voyage --suite crash" ;;
tsan) flags=thread suites="--suite unit --suite scenario --suite crash" ;;
*) echo "usage: sanitize.sh asan|tsan [TEST...]" >&2; exit 2 ;;
esac
build=build-$what

scripts/deps.sh build || exit 1
[ -f $build/build.ninja ] || meson setup $build -Db_sanitize=$flags -Db_lundef=false -Doptimization=1 >/dev/null || exit 1
ninja -C $build --quiet || exit 1

here=$PWD/scripts/sanitize
export ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$here/leaks.txt:print_suppressions=0
export TSAN_OPTIONS=suppressions=$here/races.txt:halt_on_error=0:exitcode=66:second_deadlock_stack=1:history_size=4
quiet=""
setarch "$(uname -m)" -R true 2>/dev/null && quiet="setarch $(uname -m) -R" # thread sanitizer wants its addresses where it looks
[ $# = 0 ] || suites=""
$quiet meson test -C $build --print-errorlogs --num-processes 2 --timeout-multiplier 6 $suites "$@"
status=$?
found=$(grep -cE '^(==[0-9]+==)?(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|runtime error:' $build/meson-logs/testlog.txt)
echo "$what: $found reports, meson test says $status"
[ $status = 0 ] && [ "$found" = 0 ]
