# shellcheck shell=bash
# What stands between client and server: braid, or what it is compared with.
#
#   braid    braidd on the ports wan and lan
#   haproxy  the kernel's own MPTCP with HAProxy, same listeners
#   testpmd  dpdk-testpmd forwards frames between wan and lan (profile direct)
#   none     nothing

GATEWAYS="braid haproxy testpmd none"
GATEWAY_V4=198.18.0.10
GATEWAY_V6=2001:db8::10

# hush_kernel: AF_PACKET only taps the device, so the kernel would answer too. braidd sees to that itself; for testpmd
# the kernel is made deaf here.
hush_kernel() {
  local dev
  for dev in wan lan; do
    ip -n "$LAB-gw" addr flush dev "$dev"
    set_sysctl gw "net.ipv6.conf.$dev.disable_ipv6=1"
    on gw nft -f - <<NFT
table netdev hush_$dev {
  chain in { type filter hook ingress device "$dev" priority -500; policy drop; }
}
NFT
  done
}

unhush_kernel() {
  local dev
  for dev in wan lan; do
    on gw nft delete table netdev "hush_$dev" 2>/dev/null || true
    set_sysctl gw "net.ipv6.conf.$dev.disable_ipv6=0"
    ip -n "$LAB-gw" addr flush dev "$dev"
  done
}

# braid_config DRIVER WORKERS IDLE CPUS TIMEOUTS: the configuration file, on stdout.
braid_config() {
  local name port cores=''
  [[ $4 == any ]] || cores=", cores: [$4]"
  cat <<YAML
version: 1
dpdk: { main_core: 0, memory: 512MiB, file_prefix: lab-$LAB }
workers: { count: $2, idle: $3$cores }
ports:
  - { name: wan, device: "$1:wan", addresses: [$GATEWAY_V4/24, "$GATEWAY_V6/64"],
      gateways: [198.18.0.1, "2001:db8::1"] }
  - { name: lan, device: "$1:lan", addresses: [198.18.3.1/24, "2001:db8:3::1/64"] }
listeners:
YAML
  while read -r name port; do
    cat <<YAML
  - { name: $name, bind: ["$GATEWAY_V4:$port"], upstream: $name }
  - { name: ${name}6, bind: ["[$GATEWAY_V6]:$port"], upstream: ${name}6 }
YAML
  done < <(services)
  echo "upstreams:"
  while read -r name port; do
    cat <<YAML
  - { name: $name, servers: [{ address: "$(server_address "$name" 4):$port" }], connect_timeout: 1500ms }
  - { name: ${name}6, servers: [{ address: "$(server_address "$name" 6):$port" }], connect_timeout: 1500ms }
YAML
  done < <(services)
  cat <<YAML
metrics: { listen: "127.0.0.1:9464" }
control: { socket: $STATE/braid.sock }
YAML
  [[ -z $5 ]] || echo "timeouts: $5"
}

# says TEXT: whether the gateway has logged TEXT; also true when it has ended, which ends the wait.
says() { grep -q "$1" "$STATE/log/gateway" || ! alive gateway; }

start_braid() { # DRIVER WORKERS IDLE CPUS TIMEOUTS
  local braidd=${BRAID_BUILD:-$BRAID_ROOT/build}/app/braidd
  [[ -x $braidd ]] || die "$braidd is not there; run scripts/build first"
  braid_config "$@" >"$STATE/braid.yaml"
  start_on gw gateway env ASAN_OPTIONS="${ASAN_OPTIONS:-}" "$braidd" --config "$STATE/braid.yaml" \
    --drivers-config "$BRAID_ROOT/drivers-config"
  wait_until 30 "braidd to say READY" says READY && alive gateway
}

haproxy_config() {
  local name port
  cat <<CONF
global
  nbthread 1
  maxconn 4096
defaults
  mode tcp
  timeout connect 1500ms
  timeout client 1h
  timeout server 1h
CONF
  while read -r name port; do
    cat <<CONF
listen $name
  bind $GATEWAY_V4:$port
  server s $(server_address "$name" 4):$port
listen ${name}6
  bind [$GATEWAY_V6]:$port
  server s $(server_address "$name" 6 | tr -d '[]'):$port
CONF
  done < <(services)
}

start_haproxy() { # CPUS
  local pin=()
  [[ $1 == any ]] || pin=(taskset -c "$1")
  address gw wan $GATEWAY_V4/24 $GATEWAY_V6/64
  address gw lan 198.18.3.1/24 2001:db8:3::1/64
  ip -n "$LAB-gw" route replace default via 198.18.0.1
  ip -n "$LAB-gw" -6 route replace default via 2001:db8::1
  ip -n "$LAB-gw" mptcp limits set subflows 2 add_addr_accepted 2
  haproxy_config >"$STATE/haproxy.cfg"
  start_on gw gateway "${pin[@]}" mptcpize run haproxy -db -f "$STATE/haproxy.cfg"
  wait_until 10 haproxy listens gw 5003
}

start_testpmd() { # DRIVER
  hush_kernel
  start_on gw gateway stdbuf -oL dpdk-testpmd -l 0-1 --no-huge -m 512 --no-pci --no-shconf --no-telemetry \
    --vdev "${1}0,iface=wan" --vdev "${1}1,iface=lan" -- --forward-mode=io --nb-cores=1 \
    --total-num-mbufs=65536 --auto-start --stats-period 3600
  wait_until 20 testpmd says "io packet forwarding - ports=2" && alive gateway
}

# start_gateway KIND DRIVER WORKERS IDLE CPUS TIMEOUTS
start_gateway() {
  echo "$1" >"$STATE/gateway"
  case $1 in
    braid) start_braid "$2" "$3" "$4" "$5" "$6" ;;
    haproxy) start_haproxy "$5" ;;
    testpmd) start_testpmd "$2" ;;
    none) ;;
  esac || {
    show_log gateway
    return 1
  }
}

stop_gateway() {
  stop gateway 45
  unhush_kernel
}
