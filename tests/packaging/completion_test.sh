#!/bin/bash
# Completes command lines in bash as the Tab key does.
#
# usage: completion_test.sh FILE      the completion that the build made
set -euo pipefail
# shellcheck disable=SC1090
source "$1"
complete -p banger-update >/dev/null

failures=0
# offers EXPECTED WORD...: what may stand for the last word; bash takes --output=json for three.
offers() {
  local expected=$1 found
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _banger_update || return
  found=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
  [ "${found% }" = "$expected" ] && return
  failures=$((failures + 1))
  printf 'banger-update %s\n  expected: %s\n  found:    %s\n' "${*:2}" "$expected" "${found% }"
}

offers apply banger-update app
offers 'recover release' banger-update re
offers 'export list show verify' banger-update history ''
offers show banger-update --quiet --config update.toml history sh
offers 'json text' banger-update --output ''
offers json banger-update --output = j
offers 'json text' banger-update --output =
offers 'auto bar none plain' banger-update apply --progress ''
offers 'auto replay rollback' banger-update recover --policy ''
offers 'abandoned committed needs_operator rolled_back' banger-update history --outcome ''
offers 'abandoned committed needs_operator rolled_back' banger-update history list --outcome ''
offers '--dry-run' banger-update apply --dry
offers '--color --config' banger-update status --co
offers '--version --version-like' banger-update history list --version
offers '' banger-update history show --version-l
# An option of the command hides the global one: here --version takes a value.
offers '' banger-update release make --version ''
offers '' banger-update rollback --to ''
offers '' banger-update status ''
offers '' banger-update no-such-command ''

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir release 'a folder'
touch rootfs.ext4
offers 'a folder release' banger-update apply ''
offers 'a folder release rootfs.ext4' banger-update work-seed ''
offers 'rootfs.ext4' banger-update ext4 ls roo
offers '' banger-update ext4 ls rootfs.ext4 ''
offers 'rootfs.ext4' banger-update ext4 put rootfs.ext4 roo
offers 'a folder release' banger-update ext4 extract rootfs.ext4 /etc ''
offers 'rootfs.ext4' banger-update --config roo
offers 'release' banger-update --root rel
touch ./--quiet
offers '--quiet' banger-update ext4 ls -- --qui

[ $failures = 0 ]
