#!/bin/bash
# Builds everything and runs every test; the last line is `N passed, N failed`.
#
# usage: tests/run.sh [--preset dev|release|asan-ubsan] [--label unit|scenario] [CTEST ARGUMENTS]
#
# Installs the Debian packages that it needs (as root). Scenario tests that need root, strace or loop mounts say so when they are skipped.
# UPDATE_SWEEP=full tries every point of the kill sweeps instead of a sample.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. packaging/packages.sh

preset=dev label=
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$2; shift 2 ;;
    --label) label=$2; shift 2 ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) break ;;
  esac
done

# shellcheck disable=SC2086
need_packages $build_packages $test_packages

jobs=$(nproc)
cmake --preset "$preset" >/dev/null
target=all
[ "$label" != unit ] || target=unit_tests
cmake --build --preset "$preset" --parallel "$jobs" --target "$target"

results=build/$preset/results.xml
status=0
ctest --preset "$preset" --parallel "$jobs" --output-junit "$PWD/$results" ${label:+-L "$label"} "$@" || status=$?

count() { grep -o -m1 "$1=\"[0-9]*\"" "$results" | head -n1 | tr -dc 0-9; }
total=$(count tests) failed=$(count failures) disabled=$(count disabled) skipped=$(count skipped)
passed=$((total - failed - disabled - skipped))
[ "$skipped" = 0 ] || echo "skipped: $skipped (each says above why)"
echo "$passed passed, $failed failed"
[ "$total" -gt 0 ] && [ "$status" = 0 ]
