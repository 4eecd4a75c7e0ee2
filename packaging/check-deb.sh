#!/bin/bash
# Builds the Debian package and looks at what was built, as a user and as a distributor would.
#
# usage: packaging/check-deb.sh [--twice] [PACKAGE]
#
#   --twice    build it a second time, in another folder, and compare the bytes
#   PACKAGE    look at this one instead of building it
#
# Where it runs as root, the package is installed, used, removed and purged too: in a chroot over an overlay of this host, which stays as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. packaging/packages.sh

twice='' package=''
for argument; do
  case $argument in
    --twice) twice=1 ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) package=$(realpath "$argument") ;;
  esac
done

# shellcheck disable=SC2086  # one word a package
need_packages $check_packages $quickstart_packages

folder=$(mktemp -d "${TMPDIR:-/tmp}/banger-update-check.XXXXXX")
trap 'rm -rf "$folder"' EXIT
say() { echo "-- $*"; }
die() { echo "check-deb: $*" >&2; exit 1; }
# quiet COMMAND...: it must pass, and say nothing.
quiet() {
  local said
  said=$("$@" 2>&1) || die "$*: $said"
  [ -z "$said" ] || die "$*: $said"
}

[ -n "$package" ] || package=$(packaging/build-deb.sh "$folder/first" | tail -n 1)
if [ -n "$twice" ]; then
  say "the same bytes a second time"
  cmp "$package" "$(TMPDIR=$folder TZ=Asia/Tokyo packaging/build-deb.sh "$folder/second" | tail -n 1)"
fi

say "lintian"
lintian --allow-root --fail-on error,warning "$package"

tree=$folder/tree
dpkg-deb -x "$package" "$tree"
dpkg-deb -e "$package" "$folder/control"

say "contents"
for file in usr/bin/banger-update lib/systemd/system/banger-update-recover.service \
  lib/systemd/system/banger-update-verify.service \
  lib/systemd/system-generators/banger-update-generator \
  usr/share/bash-completion/completions/banger-update \
  usr/share/zsh/vendor-completions/_banger-update \
  usr/share/fish/vendor_completions.d/banger-update.fish; do
  [ -s "$tree/$file" ] || die "there is no $file"
done
[ ! -e "$tree/etc" ] || die "the configuration is the administrator's"
kibibytes=$(dpkg-deb -f "$package" Installed-Size)
[ "$kibibytes" -le 6000 ] || die "it takes $kibibytes KiB"
say "installed size: $kibibytes KiB"

say "what the program is linked with"
linked=$(ldd "$tree/usr/bin/banger-update" | awk '{print $1}' | sed 's|.*/||; s/[.]so.*//' | sort | tr '\n' ' ')
expected="ld-linux-x86-64 libc libcom_err libcrypto libext2fs libm libsqlite3 linux-vdso "
[ "$(uname -m)" != x86_64 ] || [ "$linked" = "$expected" ] || die "linked with $linked"

say "manual pages"
for text in cli/banger-update.md cli/command/*.md; do
  name=$(basename "$text" .md)
  page=$tree/usr/share/man/man1/banger-update$([ "$name" = banger-update ] || echo "-$name").1.gz
  said=$(MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page" 2>&1 >"$folder/page")
  [ -z "$said" ] || die "$page: $said"
  lexgrog "$page" >/dev/null || die "$page has no name that whatis(1) finds"
  grep -q 'EXIT STATUS' "$folder/page" || die "$page lacks EXIT STATUS"
done

say "completions"
quiet tests/packaging/completion_test.sh "$tree/usr/share/bash-completion/completions/banger-update"
quiet zsh -n "$tree/usr/share/zsh/vendor-completions/_banger-update"
fish=$tree/usr/share/fish/vendor_completions.d/banger-update.fish
offers() {
  local found
  found=$(HOME=$folder fish --no-config -c "source $fish; complete -C '$1'" | cut -f1 | sort | tr '\n' ' ')
  [ "$found" = "$2 " ] || die "fish offers for '$1': $found"
}
offers 'banger-update appl' 'apply'
offers 'banger-update --quiet history sh' 'show'
offers 'banger-update history show --col' '--color'
offers 'banger-update --output ' 'json text'

say "units"
# From 0 (locked up) to 100 (as a program that a person starts): what the hardening of the recovery is worth.
systemd-analyze security --offline=true --root="$tree" --threshold=25 --no-pager banger-update-recover.service | tail -n 1

for script in "$folder"/control/p*; do quiet sh -n "$script"; done
[ "$(id -u)" = 0 ] || { say "not root: not installed"; exit 0; }
say "installed, used, removed and purged"
mkdir "$folder/host"
unshare --mount --pid --fork --kill-child bash -euo pipefail -c '
  # Apart from the file system of the host: one layer may not lie in the other.
  mount -t tmpfs tmpfs "$1"
  mkdir "$1/upper" "$1/work" "$1/root"
  cp "$2" "$1/upper/package.deb"
  cp "$3" "$1/upper/test"
  cd "$1"
  mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
  mount -t proc proc root/proc
  mount -t tmpfs tmpfs root/tmp
  mount --rbind /dev root/dev
  rm -rf root/etc/banger root/var/lib/banger root/var/cache/banger
  # Nothing is started: the processes of the host are not those of the chroot.
  printf "#!/bin/sh\nexit 101\n" >root/usr/sbin/policy-rc.d
  chmod 755 root/usr/sbin/policy-rc.d
  chroot root dpkg --install /package.deb
  # It tells of all units that it comes across.
  chroot root systemd-analyze verify --man=no banger-update-recover.service banger-update-verify.service 2>&1 |
    { ! grep banger; }
  chroot root /test
' bash "$folder/host" "$package" packaging/debian/tests/update-and-recover >"$folder/log" 2>&1 ||
  { cat "$folder/log" >&2; die "the installed package does not do its job"; }

say "booted"
packaging/check-boot.sh "$package"
