# shellcheck shell=bash
# What runs on the lab's server: nginx with a file of random bytes and an upload folder, and the small servers of
# tests/kernel/traffic.py. SERVICES is the one table of ports; the gateway relays each to the same port of the
# server.

# name port what a client meets there
SERVICES="
http    80    nginx: GET /file, PUT /upload/NAME
source  5001  sends zeros until the client closes
sink    5002  reads to the end, then answers with the SHA-256 of what came
echo    5003  sends everything back; closes after the client closed
abort   5004  resets the connection after 64 KiB
refuse  5005  nobody listens
stuck   5006  accepts, never reads, never writes
slow    5007  as sink, but reads 2 MiB per second
nowhere 5008  the server's address does not exist
whole   5009  reads a length and so many bytes, then answers with their SHA-256; tells of an early end that looked clean
"

services() { awk 'NF { print $1, $2 }' <<<"$SERVICES"; }

# server_address NAME FAMILY: where the gateway finds the service.
server_address() {
  local last=2
  [[ $1 == nowhere ]] && last=66
  if [[ $2 == 4 ]]; then echo "198.18.3.$last"; else echo "[2001:db8:3::$last]"; fi
}

LAB_FILE_MIB=64

start_services() {
  local www=$STATE/www
  mkdir -p "$www/upload"
  head -c $((LAB_FILE_MIB << 20)) /dev/urandom >"$www/file"
  cat >"$STATE/nginx.conf" <<CONF
daemon off;
user root;
worker_processes 1;
pid $STATE/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  client_max_body_size 1g;
  client_body_temp_path $STATE/upload-temp;
  server {
    listen 80 backlog=1024;
    listen [::]:80 backlog=1024;
    root $www;
    location /upload/ { dav_methods PUT DELETE; }
  }
}
CONF
  start_on server nginx nginx -e stderr -c "$STATE/nginx.conf"
  start_on server traffic /usr/bin/python3 "$BRAID_ROOT/tests/kernel/traffic.py" serve
  wait_until 10 nginx listens server 80 || {
    show_log nginx
    return 1
  }
  wait_until 10 "the test servers" listens server 5003 || {
    show_log traffic
    return 1
  }
}
