#!/bin/bash
# Builds everything and runs every test; the last line is `N passed, N failed`.
#
# usage: tests/run.sh [--preset dev|release|asan-ubsan] [--label unit|native|scenario|systemd|crash|sweep] [CTEST ARGUMENTS]
#
# Installs the Debian packages that it needs (as root). Tests that need root, strace, loop mounts or a systemd of their own say so when they are skipped.
# Without a preset each test runs where it finds most: the unit tests under the sanitizers, the sweeps in memory in the release preset, since
# they are a matter of processor time, and all else in dev.
# UPDATE_SWEEP=full tries every point of the crash sweeps instead of a sample, UPDATE_SWEEP_SEED=N repeats a sample.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. packaging/packages.sh

preset='' label=''
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$2; shift 2 ;;
    --label) label=$2; shift 2 ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) break ;;
  esac
done

# shellcheck disable=SC2086
need_packages $build_packages $test_packages

passed=0 failed=0 skipped=0 status=0

# run PRESET TARGET CTEST ARGUMENTS...: builds, tests, and adds to the counts.
run() {
  local preset=$1 target=$2 results=build/$1/results.xml
  shift 2
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --parallel "$(nproc)" --target "$target"
  ctest --preset "$preset" --parallel "$((2 * $(nproc)))" --output-junit "$PWD/$results" "$@" || status=$?
  count() { grep -o -m1 "$1=\"[0-9]*\"" "$results" | head -n1 | tr -dc 0-9; }
  local total bad idle
  total=$(count tests) bad=$(count failures) idle=$(($(count disabled) + $(count skipped)))
  [ "$total" -gt 0 ] || status=1
  passed=$((passed + total - bad - idle)) failed=$((failed + bad)) skipped=$((skipped + idle))
}

if [ -n "$preset" ]; then
  run "$preset" all ${label:+-L "$label"} "$@"
else
  case $label in '' | unit) run asan-ubsan unit_tests -L unit "$@" ;; esac
  case $label in
    '') run dev program_tests -L 'native|scenario|systemd|crash' "$@" ;;
    unit | sweep) ;;
    *) run dev program_tests -L "$label" "$@" ;;
  esac
  case $label in '' | sweep) run release memory_sweep_test -L sweep "$@" ;; esac
fi

[ "$skipped" = 0 ] || echo "skipped: $skipped (each says above why)"
echo "$passed passed, $failed failed"
[ "$status" = 0 ]
