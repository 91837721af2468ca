# shellcheck shell=bash
# The Debian 12 packages that building, checking and the lab need, and how they come in.

PACKAGES_BUILD=(
  g++ cmake ninja-build pkg-config ccache
  libdpdk-dev libssl-dev libyaml-cpp-dev libmnl-dev libtbb-dev libjemalloc-dev prometheus-cpp-dev
  libcivetweb-dev nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev libexpected-dev
  libsystemd-dev libboost-dev libgtest-dev libgmock-dev libbenchmark-dev
)
PACKAGES_CHECK=(clang libclang-rt-14-dev llvm clang-format clang-tidy shellcheck git tshark)
PACKAGES_LAB=(
  python3 curl iproute2 ethtool nftables procps util-linux nginx mptcpize haproxy dpdk-dev
  librte-net-af-packet23 librte-net-af-xdp23 librte-net-tap23 librte-net-ring23 librte-mempool-ring23
  librte-bus-vdev23
)
PACKAGES_KERNEL_TESTS=(python3-pytest tshark)
PACKAGES_COVERAGE=(gcovr)

# missing_packages NAME…: those of the names that dpkg does not have installed.
missing_packages() {
  local name
  for name in "$@"; do
    # shellcheck disable=SC2016  # the format is dpkg's, not the shell's
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || printf '%s\n' "$name"
  done
}

# install_packages NAME…: installs what is missing; says so only then. A daemon that comes with a package
# (nginx, haproxy) is not started: its service is held back by a policy for the time of the installation. A
# subshell, so that its trap ends with it.
install_packages() (
  local missing
  command -v dpkg-query >/dev/null || die "this is not a Debian system; install by hand: $*"
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -eq 0 ]] && return
  is_root || command -v sudo >/dev/null || die "needs root to install ${missing[*]} (no sudo here)"
  say "installing Debian packages: ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d mark='held back by braid' status=0 log
  log=$(mktemp)
  # Also when interrupted: a policy that stayed would keep this machine from ever starting a service. One that an
  # earlier run could not remove is known by its mark.
  trap 'if grep -qs "$mark" "$policy"; then as_root rm -f "$policy"; fi; rm -f "$log"' EXIT
  if [[ ! -e $policy ]]; then
    # shellcheck disable=SC2016
    as_root sh -c 'printf "#!/bin/sh\n# %s\nexit 101\n" "$2" > "$1" && chmod 755 "$1"' sh "$policy" "$mark"
  fi
  {
    as_root apt-get -qq update &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 "${missing[@]}"
  } >"$log" 2>&1 || status=$?
  [[ $status -eq 0 ]] || tail -n 20 "$log" >&2
  [[ $status -eq 0 ]] || die "apt-get could not install: ${missing[*]}"
)
