#!/bin/bash
# Boots a copy of this host with the package installed, after SIGKILL in the middle of an update, and looks at the order of things.
#
# usage: packaging/check-boot.sh PACKAGE
#
# It needs root and systemd-nspawn. The copy is an overlay in memory: the host stays as it is. Only what an update needs is started in it.
# shellcheck disable=SC2154  # the report of a boot assigns them
set -euo pipefail
case ${1:-} in
  '' | -*) sed -n '2,6s/^# \{0,1\}//p' "$0"; [ "${1:-}" != -h ] && [ "${1:-}" != --help ] && exit 2; exit 0 ;;
esac
package=$(realpath "$1")
if [ -z "${UPDATE_CHECK_BOOT:-}" ]; then
  UPDATE_CHECK_BOOT=1 exec unshare --mount "$(realpath "$0")" "$package"
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/banger-update-boot.XXXXXX")
trap 'cd /; umount --lazy "$folder"; rmdir "$folder"' EXIT
mount -t tmpfs tmpfs "$folder"
mount -t tmpfs tmpfs /run  # where systemd-nspawn leaves traces
cd "$folder"
mkdir upper work root
: >log
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
die() { cat log report >&2 2>/dev/null || true; echo "check-boot: $*" >&2; exit 1; }
check() {
  echo "-- $1"
  [ "$2" = "$3" ] || die "$1: expected $3, found $2"
}

rm -rf root/etc/banger root/var/lib/banger root/var/cache/banger root/var/log/journal
mkdir -p root/etc/banger root/opt/demo root/releases
cat >root/etc/banger/update.toml <<'TOML'
product = "demo"
[[file]]
name = "demo"
destination = "/opt/demo/demo"
[[file]]
name = "demod"
destination = "/opt/demo/demod"
[restart]
units = ["demod.service"]
[doctor]
command = ["/opt/demo/demo", "doctor"]
soak = "0s"
[trust]
require_signature = false
TOML
for version in 1.0.0 1.1.0; do
  mkdir root/releases/$version
  printf '#!/bin/sh\necho %s >>/started\nexec sleep 1000\n' $version >root/releases/$version/demod
  printf '#!/bin/sh\n# %s\nexit 0\n' $version >root/releases/$version/demo
  chmod 755 root/releases/$version/*
done
cat >root/etc/systemd/system/demod.service <<'UNIT'
[Service]
ExecStart=/opt/demo/demod
UNIT
# The only thing that starts is this, and what it draws in. demod.service is to draw in the recovery.
cat >root/etc/systemd/system/check.target <<'UNIT'
[Unit]
Requires=basic.target
Wants=demod.service banger-update-verify.service check.service
AllowIsolate=yes
UNIT
cat >root/etc/systemd/system/check.service <<'UNIT'
[Unit]
After=demod.service banger-update-recover.service banger-update-verify.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/sh /check
UNIT
cat >root/check <<'SH'
value() { echo "$1=$(systemctl show --value -p "$2" "$3")"; }
{
  value recover ActiveState banger-update-recover.service
  value recover_status ExecMainStatus banger-update-recover.service
  value recover_ended ExecMainExitTimestampMonotonic banger-update-recover.service
  value verify ActiveState banger-update-verify.service
  value demod ActiveState demod.service
  value demod_started ExecMainStartTimestampMonotonic demod.service
  banger-update status >/dev/null 2>&1
  echo "status=$?"
  echo "outcome=$(banger-update history -n 1 2>/dev/null | awk 'END { print $7 }')"
  echo "started='$(tr '\n' ' ' </started)'"
  echo "version=$(sed -n 's/^# //p' /opt/demo/demo)"
  echo "mode=$(stat -c %a /opt/demo/demo)"
  echo "capabilities='$(getcap /opt/demo/demod)'"
  journalctl -b -o cat --no-pager -u 'banger-update-*' | sed 's/^/# /'
} >/report 2>&1
SH

printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
inside() { unshare --pid --fork --mount-proc="$folder/root/proc" chroot root "$@" >>log 2>&1; }
boot() {
  rm -f root/started root/report
  timeout 60 systemd-nspawn --quiet --directory=root --register=no --keep-unit --boot systemd.unit=check.target \
    </dev/null >>log 2>&1 || true
  cp root/report report 2>/dev/null || die "it does not boot"
  # shellcheck disable=SC1091
  . ./report
}
kill_in_the_swap() {
  inside strace -f -qq -o /dev/null -e trace=rename,renameat,renameat2 \
    -e inject=rename,renameat,renameat2:signal=KILL:when=2 banger-update apply --no-restart "/releases/$1" && return 1
  return 0
}

cp "$package" root/package.deb
inside dpkg --install /package.deb || die "it cannot be installed"
for version in 1.0.0 1.1.0; do inside banger-update release make /releases/$version --release-version $version; done
inside banger-update apply --no-restart /releases/1.0.0 || die "the first version cannot be installed"
chmod 4755 root/opt/demo/demo
setcap cap_net_bind_service+ep root/opt/demo/demod

echo "== killed before any new program has run: finished at boot, before the service starts"
kill_in_the_swap 1.1.0 || die "it was not killed"
boot
check "the recovery" "$recover" active
check "it ended before the service began" "$((recover_ended <= demod_started))" 1
check "the service saw one version" "$started" "1.1.0 "
check "the verdict" "$verify $outcome $status" "active committed 0"
check "the version" "$version" 1.1.0
check "the set-id bit" "$mode" 4755
check "the capability" "$capabilities" "/opt/demo/demod cap_net_bind_service=ep"

echo "== the same, with the policy rollback: undone before the service starts"
printf '[recovery]\npolicy = "rollback"\n' >>root/etc/banger/update.toml
mkdir root/releases/1.2.0
for name in demo demod; do sed 's/1[.]1[.]0/1.2.0/' root/releases/1.1.0/$name >root/releases/1.2.0/$name; done
chmod 755 root/releases/1.2.0/*
inside banger-update release make /releases/1.2.0 --release-version 1.2.0
kill_in_the_swap 1.2.0 || die "it was not killed"
boot
check "it ended before the service began" "$((recover_ended <= demod_started))" 1
check "the service saw one version" "$started" "1.1.0 "
check "the outcome" "$recover $verify $outcome $status" "active active rolled_back 0"
check "the version" "$version" 1.1.0
check "the set-id bit" "$mode" 4755
check "the capability" "$capabilities" "/opt/demo/demod cap_net_bind_service=ep"

echo "== a recovery that fails lets the service start, and is seen"
chmod 777 root/var/lib/banger/update  # which it does not trust
boot
check "the recovery has failed" "$recover" failed
check "the service runs" "$demod" active
check "with the old version" "$started" "1.1.0 "
echo OK
