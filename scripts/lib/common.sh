# shellcheck shell=bash
# What all scripts share: where the tree is, how to speak, how to become root.

BRAID_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export BRAID_ROOT
# Where sysctl, tc, nft and ethtool live; `su` without a dash leaves it out.
PATH=$PATH:/usr/sbin:/sbin

# Progress goes to stderr, so that stdout stays for results.
say() { printf '%s\n' "$*" >&2; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

usage_error() {
  printf '%s: %s\nTry: %s --help\n' "$(basename "$0")" "$*" "$0" >&2
  exit 64
}

# print_header FILE: the comment at the top of a script is its help text.
print_header() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$1"; }

is_root() { [[ $(id -u) -eq 0 ]]; }

# as_root CMD…: runs one command as root.
as_root() {
  if is_root; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root for: $* (no sudo here)"
  fi
}

# become_root "$0" "$@": starts the script again as root if it is not.
become_root() {
  is_root && return
  command -v sudo >/dev/null || die "needs root (network namespaces), and there is no sudo"
  exec sudo --preserve-env=BRAID_LAB,BRAID_BUILD "$@"
}
