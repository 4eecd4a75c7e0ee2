#!/bin/bash
# Builds the Debian package of this tree, from a copy of it in a throw-away folder.
#
# usage: packaging/build-deb.sh [OUTPUT_FOLDER]
#
# The package is put into OUTPUT_FOLDER (default: build/deb), and its path is the last line that is printed. Two builds of the same files
# give the same bytes, wherever and whenever they are built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. packaging/packages.sh

case ${1:-} in
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

# shellcheck disable=SC2086  # one word a package
need_packages $build_packages $deb_packages
mkdir -p "${1:-build/deb}"
output=$(realpath "${1:-build/deb}")

folder=$(mktemp -d "${TMPDIR:-/tmp}/banger-update-deb.XXXXXX")
trap 'rm -rf "$folder"' EXIT

# All files of the tree as they are now, committed or not, but for what git ignores.
list_files() {
  if [ -e .git ]; then
    git ls-files -z --cached --others --exclude-standard --deduplicate
  else
    find . -path ./build -prune -o -type f -print0
  fi
}
mkdir "$folder/banger-update"
# A file that git knows and that is gone is none of the tree.
list_files | xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done' sh |
  tar --create --null --no-recursion --files-from=- --mode=u=rwX,go=rX |
  tar --extract --no-same-owner --directory "$folder/banger-update"
cd "$folder/banger-update"
cp -a packaging/debian debian
# What is copied into the package as it is has the time of the version.
find . -exec touch --no-dereference --date "@$(dpkg-parsechangelog -S Timestamp)" {} +

DEB_BUILD_OPTIONS="parallel=$(nproc) ${DEB_BUILD_OPTIONS:-}" dpkg-buildpackage --build=binary --no-sign \
  >"$folder/log" 2>&1 || { tail -n 60 "$folder/log" >&2; exit 1; }
cp "$folder"/*.deb "$output"
ls "$output/$(basename "$folder"/*.deb)"
