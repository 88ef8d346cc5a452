#!/bin/bash
# fuzz.sh [SECONDS_EACH [NAME...]] - runs every fuzz target (or those named) with libFuzzer on its corpus, one after the
# other, 60 seconds each. Inputs that crash, leak, hang or eat memory are kept in build-fuzz/found/ and told; what only
# reaches new code stays in build-fuzz/scratch/ and is where the next run begins. Ends with a count.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
build=build-fuzz

scripts/deps.sh build clang libclang-rt-14-dev || exit 1
[ -f $build/build.ninja ] || CC=clang meson setup $build -Dfuzzing=true -Db_lundef=false -Dbuildtype=debugoptimized >/dev/null || exit 1
mapfile -t targets < <(grep -ho "^build [a-z_0-9]*_fuzz:" $build/build.ninja | sed 's/^build //; s/:$//' | sort)
[ $# = 0 ] || targets=("${@/%/_fuzz}")
[ ${#targets[@]} -gt 0 ] || { echo "fuzz.sh: $build has no fuzz targets" >&2; exit 1; }
ninja -C $build --quiet "${targets[@]}" || exit 1

export ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/scripts/sanitize/leaks.txt:print_suppressions=0
good=0 bad=0 runs=0
mkdir -p $build/found $build/log
for target in "${targets[@]}"; do
        name=${target%_fuzz}
        mkdir -p "$build/scratch/$name"
        log=$build/log/$name.log
        $build/$target "$build/scratch/$name" "tests/corpus/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1500 \
                -malloc_limit_mb=1024 -max_len=65536 -print_final_stats=1 -verbosity=1 -artifact_prefix="$build/found/$name-" >"$log" 2>&1
        status=$?
        executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        covered=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
        runs=$((runs + ${executed:-0}))
        if [ $status = 0 ]; then
                good=$((good + 1))
                printf '%-18s %10s runs  %s\n' "$name" "${executed:-0}" "$covered"
        else
                bad=$((bad + 1))
                printf '%-18s FAILED after %s runs\n' "$name" "${executed:-?}"
                grep -m3 -E 'SUMMARY|runtime error|Test unit written' "$log" | sed 's/^/    /'
        fi
done
echo "$good targets clean, $bad with finds, $runs runs"
[ $bad = 0 ]
