# shellcheck shell=bash
# Processes of the lab: started in a host's namespace, recorded, and ended by that record only.
# Expects LAB (name) and STATE (directory) from lib/topology.sh.

# The start time of a process in clock ticks since boot: with the PID it names one process for good. Empty when it
# has ended, also when nobody has collected it yet.
start_ticks() { sed -n 's/.*) //; /^Z/!p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# alive NAME: whether the recorded process NAME still runs.
alive() {
  local pid ticks
  [[ -r $STATE/pids/$1 ]] || return 1
  read -r pid ticks <"$STATE/pids/$1"
  [[ -n $ticks && $(start_ticks "$pid") == "$ticks" ]]
}

# start_on HOST NAME CMD…: runs CMD in the background on HOST; its output goes to $STATE/log/NAME.
start_on() {
  local host=$1 name=$2 pid
  shift 2
  setsid ip netns exec "$LAB-$host" "$@" </dev/null >"$STATE/log/$name" 2>&1 &
  pid=$!
  printf '%s %s\n' "$pid" "$(start_ticks "$pid")" >"$STATE/pids/$name"
}

# stop NAME [SECONDS]: SIGTERM to the recorded process, SIGKILL if it has not ended in time (10 s).
stop() {
  local name=$1 tries=$((${2:-10} * 20)) pid
  if alive "$name"; then
    read -r pid _ <"$STATE/pids/$name"
    kill -TERM "$pid" 2>/dev/null || true
    while alive "$name" && ((tries-- > 0)); do sleep 0.05; done
    if alive "$name"; then
      say "$name did not end on SIGTERM; killing it"
      kill -KILL "$pid" 2>/dev/null || true
      while alive "$name"; do sleep 0.05; done
    fi
  fi
  rm -f "$STATE/pids/$name"
}

# wait_until SECONDS WHAT CMD…: polls CMD until it succeeds; fails with the name of WHAT when time is up.
wait_until() {
  local tries=$(($1 * 20)) what=$2
  shift 2
  until "$@"; do
    ((tries-- > 0)) || {
      say "gave up waiting for $what"
      return 1
    }
    sleep 0.05
  done
}

# listens HOST PORT: whether something on HOST accepts TCP connections to PORT.
listens() { [[ -n $(ip netns exec "$LAB-$1" ss -Hltn "sport = :$2") ]]; }

# show_log NAME: the end of a process's output, for a message about its failure.
show_log() {
  say "last lines of $1:"
  tail -n 20 "$STATE/log/$1" >&2 2>/dev/null || true
}
