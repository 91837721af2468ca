# shellcheck shell=bash
# The lab's hosts and wires. One network namespace per host:
#
#              link a, 198.18.1.0/24
#   client <                          > isp -- wan, 198.18.0.0/24 -- gw -- lan, 198.18.3.0/24 -- server
#              link b, 198.18.2.0/24
#
# A device has the same name at both ends of its wire: a, b, wan, lan. IPv6: 2001:db8:{1,2,0,3}::/64 alike.
# Profile `direct` (benchmarks) leaves out isp: the client sits on wan with two addresses. A profile of two emulated
# links, as dsl+lte, puts a host `links` into the middle of a and b, on which braid-links delays and drops.

LAB=${BRAID_LAB:-braid}
STATE=/run/braid-lab/$LAB
[[ $LAB =~ ^[a-z][a-z0-9-]{0,23}$ ]] || die "BRAID_LAB must be 1-24 of a-z, 0-9 and '-', beginning with a letter"

# profile_rates NAME: "rate of a, rate of b" in Mbit/s, 0 for unlimited (or left to the emulator).
profile_rates() {
  case $1 in
    default) echo "30 10" ;;
    fast) echo "120 40" ;;
    unlimited | direct | *+*) echo "0 0" ;;
    *) usage_error "unknown profile '$1' (default, fast, unlimited, direct, or two emulated links as dsl+lte)" ;;
  esac
}

is_emulated() { [[ $1 == *+* ]]; }

hosts() {
  if [[ $1 == direct ]]; then
    echo "client gw server"
  elif is_emulated "$1"; then
    echo "client links isp gw server"
  else
    echo "client isp gw server"
  fi
}

# on HOST CMD…: runs a command in the host's namespace.
on() {
  local host=$1
  shift
  ip netns exec "$LAB-$host" "$@"
}

set_sysctl() {
  local host=$1 setting
  shift
  for setting in "$@"; do on "$host" sysctl -qw "$setting"; done
}

add_host() {
  ip netns add "$LAB-$1"
  ip -n "$LAB-$1" link set lo up
  set_sysctl "$1" net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.accept_dad=0 \
    net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.rp_filter=0
}

# wire DEV HOST HOST [QUEUES [PEER]]: a veth pair, whose other end may be named PEER; offloads off, since the kernel
# hands unfinished checksums to AF_PACKET.
wire() {
  local dev=$1 queues=${4:-1} peer=${5:-$1}
  ip -n "$LAB-$2" link add name "$dev" numtxqueues "$queues" numrxqueues "$queues" type veth \
    peer name "$peer" numtxqueues "$queues" numrxqueues "$queues" netns "$LAB-$3"
  plug_in "$2" "$dev" "$queues"
  plug_in "$3" "$peer" "$queues"
}

plug_in() { # HOST DEV QUEUES
  [[ $3 -eq 1 ]] || on "$1" ethtool -L "$2" rx "$3" tx "$3"
  on "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null
  ip -n "$LAB-$1" link set dev "$2" up
}

# access_wire DEV: from the client to the access router, with the emulator's host in between if there is one.
access_wire() {
  if [[ -e /run/netns/$LAB-links ]]; then
    wire "$1" client links 1 "$1-user"
    wire "$1" isp links 1 "$1-net"
  else
    wire "$1" client isp
  fi
}

# shape DEV MBIT: both directions of an access link, with a queue of 80 ms.
shape() {
  local host
  [[ $2 -gt 0 ]] || return 0
  for host in client isp; do
    tc -n "$LAB-$host" qdisc replace dev "$1" root tbf rate "${2}mbit" burst 16kb latency 80ms
  done
}

address() { # HOST DEV ADDRESS/LENGTH…
  local host=$1 dev=$2 a
  shift 2
  for a in "$@"; do
    if [[ $a == *:* ]]; then
      ip -n "$LAB-$host" -6 addr replace "$a" dev "$dev" nodad
    else
      ip -n "$LAB-$host" addr replace "$a" dev "$dev"
    fi
  done
}

# source_routes DEV N METRIC: the client's way out over access link N: a table for its source addresses and a default
# route. Also brings back what the kernel removes when the device goes down.
source_routes() {
  local dev=$1 n=$2 metric=$3 family prefix gateway
  address client "$dev" "198.18.$n.2/24" "2001:db8:$n::2/64"
  for family in -4 -6; do
    if [[ $family == -4 ]]; then prefix=198.18.$n.2 gateway=198.18.$n.1; else prefix=2001:db8:$n::2 gateway=2001:db8:$n::1; fi
    ip -n "$LAB-client" $family route replace default via "$gateway" dev "$dev" table "$((100 + n))"
    ip -n "$LAB-client" $family route replace default via "$gateway" dev "$dev" metric "$metric"
    ip -n "$LAB-client" $family rule del from "$prefix" 2>/dev/null || true
    ip -n "$LAB-client" $family rule add from "$prefix" lookup "$((100 + n))"
  done
}

wire_access_links() { # QUEUES RATE_A RATE_B
  access_wire a
  access_wire b
  wire wan isp gw "$1"
  address isp a 198.18.1.1/24 2001:db8:1::1/64
  address isp b 198.18.2.1/24 2001:db8:2::1/64
  address isp wan 198.18.0.1/24 2001:db8::1/64
  set_sysctl isp net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  source_routes a 1 100
  source_routes b 2 200
  shape a "$2"
  shape b "$3"
  mptcp_endpoints 198.18.2.2 2001:db8:2::2 b
}

wire_direct() { # QUEUES
  wire wan client gw "$1"
  address client wan 198.18.0.11/24 198.18.0.12/24 2001:db8::11/64 2001:db8::12/64
  mptcp_endpoints 198.18.0.12 2001:db8::12 wan
  # With a frame forwarder in place of a gateway, client and server share one network.
  address server lan 198.18.0.200/24
}

# mptcp_endpoints IPV4 IPV6 DEV: the addresses from which the client's kernel joins.
mptcp_endpoints() {
  local a
  ip -n "$LAB-client" mptcp limits set subflows 2 add_addr_accepted 2
  for a in "$1" "$2"; do ip -n "$LAB-client" mptcp endpoint add "$a" dev "$3" subflow; done
}

# build_topology PROFILE QUEUES: QUEUES is that of the gateway's ports.
build_topology() {
  local host rates
  read -r -a rates <<<"$(profile_rates "$1")"
  for host in $(hosts "$1"); do add_host "$host"; done
  # The emulator's devices are no hosts' devices: nothing on them speaks for itself.
  ! is_emulated "$1" || set_sysctl links net.ipv6.conf.default.disable_ipv6=1
  wire lan gw server "$2"
  address server lan 198.18.3.2/24 2001:db8:3::2/64
  if [[ $1 == direct ]]; then wire_direct "$2"; else wire_access_links "$2" "${rates[@]}"; fi
}

# end_strays HOST: ends what is left in our own namespace: it was started through `lab exec`.
end_strays() {
  local pid
  [[ -e /run/netns/$LAB-$1 ]] || return 0
  for pid in $(ip netns pids "$LAB-$1"); do kill -KILL "$pid" 2>/dev/null || true; done
}

remove_topology() {
  local host
  for host in client links isp gw server; do
    [[ -e /run/netns/$LAB-$host ]] || continue
    end_strays "$host"
    ip netns del "$LAB-$host"
  done
}

# cut_link DEV: from now on nothing comes out of the link at either end, not even what is queued on it, and nobody is
# told: each end still finds the other's link address.
cut_link() {
  local host
  for host in client isp; do
    on "$host" nft -f - <<NFT
table inet cut_$1 {
  chain in {
    type filter hook prerouting priority raw; policy accept;
    iifname "$1" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname "$1" drop
  }
}
NFT
  done
}

heal_link() {
  local host cut=no
  for host in client isp; do
    on "$host" nft delete table inet "cut_$1" 2>/dev/null && cut=yes
  done
  [[ $cut == yes ]] || die "link $1 is not cut"
}

# link_down DEV / link_up DEV: the client loses the device itself, and gets it back with addresses and routes.
link_down() { ip -n "$LAB-client" link set dev "$1" down; }
link_up() {
  ip -n "$LAB-client" link set dev "$1" up
  case $1 in
    a) source_routes a 1 100 ;;
    b) source_routes b 2 200 ;;
  esac
}
