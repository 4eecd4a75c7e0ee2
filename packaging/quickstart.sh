#!/bin/bash
# Builds banger-update in build/release, and shows its main job on three real programs in a throw-away folder.
#
# usage: packaging/quickstart.sh [--keep]
#
#   --keep    leave the folder there, to go on playing with it
#
# Nothing else is touched but for Debian packages, which are named before they are installed. As another user than root it installs none,
# and says what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source_folder=$PWD
. packaging/packages.sh

keep=
case ${1:-} in
  "") ;;
  --keep) keep=1 ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

# shellcheck disable=SC2086  # one word a package
need_packages $build_packages $quickstart_packages

umask 022
folder=$(mktemp -d "${TMPDIR:-/tmp}/banger-update-quickstart.XXXXXX")
finish() {
  cd /
  if [ -n "$keep" ]; then echo; echo "Kept: $folder"; else rm -rf "$folder"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n# %s\n' "$*"; }
# Shows a command, runs it, and insists on its exit status.
run() {
  local expected=$1 status=0
  shift
  printf '$ %s\n' "$(echo "$*" | sed "s|$folder/||g")"
  # In the background and waited for: bash would otherwise announce the death of what is meant to die.
  "$@" &
  wait $! 2>/dev/null || status=$?
  [ "$status" = 0 ] || echo "(exit status $status)"
  if [ "$status" != "$expected" ]; then
    echo "quickstart: expected exit status $expected" >&2
    exit 1
  fi
}

say "Building the program (a few minutes the first time)"
cmake --preset release -DBUILD_TESTING=OFF >/dev/null
cmake --build --preset release --target banger-update | tail -n 1
mkdir "$folder/host" && cd "$folder/host"
ln -s "$source_folder/build/release/cli/banger-update" banger-update
export BANGER_UPDATE_CONFIG=$folder/host/update.toml

say "Compiling three programs in four versions; version 1.2.0 is sick, and its own doctor says so"
cat >program.c <<'C'
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "doctor") == 0) {
    puts(SICK ? "FAIL: cannot reach the agent" : "all well");
    return SICK;
  }
  printf("%s %s\n", NAME, VERSION);
  return 0;
}
C
for version in 1.0.0 1.1.0 1.2.0 1.3.0; do
  mkdir -p "releases/$version"
  [ $version = 1.2.0 ] && sick=1 || sick=0
  for name in demo demod demo-agent; do
    gcc -O1 -DNAME="\"$name\"" -DVERSION="\"$version\"" -DSICK=$sick -o "releases/$version/$name" program.c
  done
done
mkdir bin keys

cat >update.toml <<TOML
product = "demo"
[paths]
state = "$folder/host/state"
staging = "$folder/host/staging"
[[file]]
name = "demo"
destination = "$folder/host/bin/demo"
[[file]]
name = "demod"
destination = "$folder/host/bin/demod"
[[file]]
name = "demo-agent"
destination = "$folder/host/bin/demo-agent"
[restart]
units = []
[doctor]
command = ["$folder/host/bin/demo", "doctor"]
attempts = 1
[trust]
keys = ["$folder/host/keys"]
TOML

say "A key pair: the secret key signs releases, the public one is what this host trusts"
run 0 minisign -G -W -f -p keys/demo.pub -s secret.key
for version in 1.0.0 1.1.0 1.2.0 1.3.0; do
  ./banger-update -q release make "releases/$version" --version $version --sign secret.key >/dev/null
done

say "Installing version 1.0.0 on a host that had none of it"
run 0 ./banger-update apply releases/1.0.0

say "Updating to 1.1.0: staged, backed up, swapped, found healthy by the doctor, committed"
run 0 ./banger-update apply releases/1.1.0
run 0 bin/demo

say "1.2.0 is sick: its doctor says FAIL, so the old programs come back (exit status 3)"
run 3 ./banger-update apply releases/1.2.0
run 0 bin/demo

say "Now the machine dies in the middle of a swap: SIGKILL before the second rename of 1.3.0"
run 137 strace -f -qq -o /dev/null -e trace=rename,renameat,renameat2 \
  -e inject=rename,renameat,renameat2:signal=KILL:when=2 ./banger-update apply releases/1.3.0
for name in demo demod demo-agent; do bin/$name; done

say "Two versions at once. What does the updater say of it? (exit status 10: recover will resolve it)"
run 10 ./banger-update status

say "What a boot would do: finish the update or undo it, whichever is safe"
run 0 ./banger-update recover
for name in demo demod demo-agent; do bin/$name; done

say "And back again, to the version before"
run 0 ./banger-update rollback
run 0 bin/demo

say "The state of the host, and the whole story, in a chain that cannot be quietly edited"
run 0 ./banger-update status
run 0 ./banger-update history
run 0 ./banger-update history verify
