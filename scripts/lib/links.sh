# shellcheck shell=bash
# The emulated access links of a profile as dsl+lte: braid-links on the host `links`.

links_program() { echo "${BRAID_BUILD:-$BRAID_ROOT/build}/tests/emulator/braid-links"; }

links_say() { grep -q "$1" "$STATE/log/links" || ! alive links; }

start_links() { # PROFILE [BOX]
  local program a="a=${1%%+*},a-user,a-net" b="b=${1#*+},b-user,b-net" mac
  program=$(links_program)
  [[ -x $program ]] || die "$program is not there; run scripts/build first"
  if [[ -n ${2:-} ]]; then
    a+=",$2,198.18.1.3"  # what a translator shows; the access router finds it at the client's device
    mac=$(on client cat /sys/class/net/a/address)
    ip -n "$LAB-isp" neigh replace 198.18.1.3 lladdr "$mac" dev a
  fi
  start_on links links "$program" --link "$a" --link "$b"
  wait_until 10 "the emulated links" links_say READY
  alive links || {
    show_log links
    return 1
  }
}

# put_links PROFILE BOX: the links begin anew, with a middlebox on link a, or without one (none).
put_links() {
  need_links
  # Before anything stops: a name that is none must not cost the lab its links.
  [[ $2 == none ]] || "$(links_program)" --list-boxes | grep -qx -- "$2" || usage_error "no box '$2'; 'lab box list' prints their names"
  stop links
  echo "$1" >"$STATE/profile"
  start_links "$1" "${2#none}"
}

need_links() { alive links || die "this lab has no emulated links; start it with: scripts/lab up --profile dsl+lte"; }

# report_links: what they carried so far and how late packets were.
report_links() {
  local pid before
  need_links
  read -r pid _ <"$STATE/pids/links"
  before=$(wc -l <"$STATE/log/links")
  kill -USR1 "$pid"
  wait_until 5 "the emulator's report" links_report_after "$before"
  tail -n 3 "$STATE/log/links"
}

links_report_after() { [[ $(tail -n "+$(($1 + 1))" "$STATE/log/links" | wc -l) -ge 3 ]]; }
