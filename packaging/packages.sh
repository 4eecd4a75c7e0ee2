# The Debian packages that the project needs, and how they are got; sourced by quickstart.sh and tests/run.sh.

# make is for gcc: link-time optimisation runs its jobs by it, else one after the other.
build_packages="gcc g++ make cmake ninja-build libssl-dev libsqlite3-dev libspdlog-dev libcxxopts-dev
  libexpected-dev libtomlplusplus-dev nlohmann-json3-dev libext2fs-dev comerr-dev pkgconf"
quickstart_packages="minisign strace"
test_packages="clang libclang-rt-14-dev libgtest-dev libbenchmark-dev python3 minisign strace sqlite3 attr acl libcap2-bin
  e2fsprogs xfsprogs btrfs-progs util-linux procps spin systemd dbus"

# For the Debian package: building it, and looking at what was built.
deb_packages="build-essential debhelper"
check_packages="lintian man-db bash fish zsh libcap2-bin systemd-container"

# need_packages NAME...: installs what is missing, after saying so; without root it prints the command and ends with 1.
need_packages() {
  local package missing=""
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "These Debian packages are missing. Install them, then run this again:" >&2
    echo "  sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "Installing Debian packages:$missing"
  local said
  # shellcheck disable=SC2086  # one word a package
  said=$({ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends $missing; } 2>&1) || {
    printf '%s\napt-get could not install them.\n' "$said" >&2
    exit 1
  }
}
