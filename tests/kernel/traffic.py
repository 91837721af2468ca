"""Both ends of the lab's traffic, on plain sockets: `traffic.py serve` on the server, the other commands on the client.

Client commands print one JSON object per line: progress lines {"bytes": N} if asked for, and at the end the result,
which has "outcome": done, reset, refused, eof (the stream ended early), timeout (no byte for --patience seconds),
broken_off (as asked), lost_by_client (see early_end) or bad_answer. Exit status is 0 whenever a result was printed; the caller judges it.
"""

import argparse
import ctypes
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time

IPPROTO_MPTCP = 262
SOL_MPTCP = 284
MPTCP_INFO = 1
MPTCP_INFO_FALLBACK = 1
TCPI_BYTES_ACKED = 120  # offset in struct tcp_info; behind it tcpi_bytes_received
TCP_FIN_ACKNOWLEDGED = (5, 6, 7)  # FIN_WAIT2, TIME_WAIT, CLOSE
CHUNK = 256 * 1024
MIB = 1 << 20
EARLY_END = "an end that looked clean and was none"

PORTS = {"http": 80, "source": 5001, "sink": 5002, "echo": 5003, "abort": 5004, "refuse": 5005, "stuck": 5006,
         "slow": 5007, "nowhere": 5008, "whole": 5009}


# --- server ---------------------------------------------------------------------------------------------------

def serve_source(conn):
    block = memoryview(bytes(CHUNK))
    while True:
        conn.sendall(block)


def serve_sink(conn, bytes_per_second=0):
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK if not bytes_per_second else bytes_per_second // 20)
    while size := conn.recv_into(buffer):
        digest.update(memoryview(buffer)[:size])
        if bytes_per_second:
            time.sleep(size / bytes_per_second)
    conn.sendall(digest.hexdigest().encode())


def serve_slow(conn):
    serve_sink(conn, 2 * MIB)


def serve_whole(conn):
    digest = hashlib.sha256()
    with conn.makefile("rb") as stream:
        head = stream.read(8)
        left = struct.unpack("!Q", head)[0] if len(head) == 8 else CHUNK
        while left and (data := stream.read(min(left, CHUNK))):
            digest.update(data)
            left -= len(data)
        if left or stream.read(1):
            print(f"{EARLY_END}: {left} bytes are missing", flush=True)
            return
    conn.sendall(digest.hexdigest().encode())


def serve_echo(conn):
    while data := conn.recv(CHUNK):
        conn.sendall(data)


def serve_abort(conn):
    left = 65536
    while left > 0 and (data := conn.recv(left)):
        left -= len(data)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def serve_stuck(conn):
    poll_closed = conn.getsockopt
    while poll_closed(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in (1, 8):  # ESTABLISHED, CLOSE_WAIT
        time.sleep(0.1)


def run_connection(handler, conn):
    with conn:
        try:
            handler(conn)
        except OSError:
            pass  # the other end went away, which is its right


def accept_forever(listener, handler):
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=run_connection, args=(handler, conn), daemon=True).start()


def serve(_):
    handlers = {"source": serve_source, "sink": serve_sink, "abort": serve_abort, "stuck": serve_stuck,
                "slow": serve_slow, "echo": serve_echo, "whole": serve_whole}
    threads = []
    for name, handler in handlers.items():
        listener = socket.create_server(("", PORTS[name]), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        threads.append(threading.Thread(target=accept_forever, args=(listener, handler)))
        threads[-1].start()
    for thread in threads:
        thread.join()


# --- client ---------------------------------------------------------------------------------------------------

class Meter:
    """Counts the bytes of one transfer, the longest pause between two deliveries, and reports progress."""

    def __init__(self, progress_every=0):
        self.progress_every = progress_every
        self.next_progress = progress_every
        self.bytes = 0
        self.longest_gap = 0.0
        self.started = self.last = time.monotonic()

    def add(self, size):
        now = time.monotonic()
        if self.bytes:
            self.longest_gap = max(self.longest_gap, now - self.last)
        self.last = now
        self.bytes += size
        if self.progress_every and self.bytes >= self.next_progress:
            self.next_progress = self.bytes + self.progress_every
            print(json.dumps({"bytes": self.bytes}), flush=True)

    def result(self):
        seconds = max(self.last - self.started, 1e-6)
        return {"bytes": self.bytes, "seconds": round(seconds, 4), "mbps": round(self.bytes * 8 / seconds / 1e6, 3),
                "longest_gap_ms": round(self.longest_gap * 1000, 1)}


def dial(args, port):
    """A connected socket: MPTCP or plain, from the address asked for."""
    family = socket.AF_INET6 if ":" in args.to else socket.AF_INET
    conn = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP if args.proto == "mptcp" else socket.IPPROTO_TCP)
    conn.settimeout(args.patience)
    if args.source:
        conn.bind((args.source, 0))
    conn.connect((args.to, port))
    return conn


def mptcp_state(conn):
    """{"mptcp": whether the connection is MPTCP and has not fallen back, "joined": subflows besides the first}."""
    try:
        info = conn.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
    except OSError:
        return {"mptcp": False, "joined": 0}
    return {"mptcp": not struct.unpack_from("<I", info, 8)[0] & MPTCP_INFO_FALLBACK, "joined": info[0]}


def await_join(conn, args):
    """Waits for a second subflow, if asked for. The client's kernel joins once its first bytes are acknowledged, and
    again a second later where the SYN was lost: too late for what takes less."""
    deadline = time.monotonic() + args.patience
    while args.joined and not mptcp_state(conn)["joined"]:
        if time.monotonic() > deadline:
            raise TimeoutError("no second subflow has joined")
        time.sleep(0.005)


def early_end(conn, expected, sent):
    """What a clean end is that came before `expected` bytes, the program having sent `sent`: `eof`, or `lost_by_client`
    when the client's own TCP has received them all, or was acknowledged its FIN without having sent all.

    Linux (6.18) does both on a connection that it has taken for fallen back from MPTCP in mid-stream: it loses its place
    where a segment overlaps only in part with what is there, and sends no more than 65,535 bytes before the FIN."""
    if conn.proto == IPPROTO_MPTCP and not mptcp_state(conn)["mptcp"]:
        info = conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        acknowledged, received = struct.unpack_from("<QQ", info, TCPI_BYTES_ACKED)
        if received >= expected or (info[0] in TCP_FIN_ACKNOWLEDGED and acknowledged < sent):
            return "lost_by_client"
    return "eof"


def outcome_of(error):
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    if isinstance(error, TimeoutError):
        return "timeout"
    return type(error).__name__


def http_head(conn, sent):
    """Reads an HTTP response head; returns (status, its length, body length, first body bytes)."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(CHUNK)
        if not more:
            raise EOFError(early_end(conn, len(data) + 2, sent))  # a FIN counts as a byte
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), len(head) + 4, int(fields.get("content-length", 0)), rest


def host_of(args):
    return f"[{args.to}]" if ":" in args.to else args.to


def download(args, meter, result):
    """GET of the first --bytes of /file; --slow reads at most that many bytes per second."""
    digest = hashlib.sha256()
    with dial(args, PORTS["http"]) as conn:
        conn.sendall(f"GET /file HTTP/1.1\r\nHost: {host_of(args)}\r\nRange: bytes=0-{args.bytes - 1}\r\n"
                     "Connection: close\r\n\r\n".encode())
        await_join(conn, args)
        status, head, length, first = http_head(conn, 0)
        if status != 206 or length != args.bytes:
            return "bad_answer"
        digest.update(first)
        meter.add(len(first))
        buffer = bytearray(CHUNK if not args.slow else max(args.slow // 20, 1))
        while meter.bytes < length:
            size = conn.recv_into(buffer)
            if not size:
                return early_end(conn, head + length, 0)
            digest.update(memoryview(buffer)[:size])
            meter.add(size)
            if args.slow:
                time.sleep(size / args.slow)
        result.update(mptcp_state(conn))
        result["sha256"] = digest.hexdigest()
        return "done" if not conn.recv(1) else "bad_answer"


def send_random(conn, count, meter, digest):
    while count > 0:
        block = os.urandom(min(CHUNK, count))
        conn.sendall(block)
        digest.update(block)
        meter.add(len(block))
        count -= len(block)


def upload(args, meter, result):
    """PUT of --bytes random bytes to /upload/NAME."""
    digest = hashlib.sha256()
    with dial(args, PORTS["http"]) as conn:
        conn.sendall(f"PUT /upload/{args.name} HTTP/1.1\r\nHost: {host_of(args)}\r\nContent-Length: {args.bytes}\r\n"
                     "Connection: close\r\n\r\n".encode())
        await_join(conn, args)
        send_random(conn, args.bytes, meter, digest)
        status, *_ = http_head(conn, args.bytes)
        result.update(mptcp_state(conn))
        result["sha256"] = digest.hexdigest()
        return "done" if status in (201, 204) else "bad_answer"


def sink(args, meter, result):
    """Sends --bytes, closes its half, and compares the digest that comes back."""
    digest = hashlib.sha256()
    with dial(args, PORTS[args.service]) as conn:
        send_random(conn, args.bytes, meter, digest)
        result.update(mptcp_state(conn))
        conn.shutdown(socket.SHUT_WR)
        answer = b""
        while data := conn.recv(128):
            answer += data
        return "done" if answer.decode() == digest.hexdigest() else ("bad_answer" if answer else "eof")


def break_off(conn):
    """Resets the connection, MPTCP or plain: connecting to AF_UNSPEC dissolves it (connect(2))."""
    ctypes.CDLL(None).connect(conn.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)


def pledge(args, meter, result):
    """Sends a length and --bytes to `whole`, closes its half, and compares the digest that comes back. Never ends
    cleanly before all is sent: what fails is reset, and so is the connection after --break-off bytes."""
    digest = hashlib.sha256()
    with dial(args, PORTS["whole"]) as conn:
        try:
            conn.sendall(struct.pack("!Q", args.bytes))
            send_random(conn, args.break_off or args.bytes, meter, digest)
            result.update(mptcp_state(conn))
            if args.break_off:
                break_off(conn)
                return "broken_off"
            conn.shutdown(socket.SHUT_WR)
            answer = b""
            while data := conn.recv(128):
                answer += data
        except OSError:
            break_off(conn)
            raise
        if len(answer) < 2 * digest.digest_size:
            return early_end(conn, 2 * digest.digest_size, args.bytes)
        return "done" if answer.decode() == digest.hexdigest() else "bad_answer"


def echo_once(args, meter, count):
    """Sends `count` bytes while reading them back, closes its half, expects the same bytes and the end."""
    sent, got = hashlib.sha256(), hashlib.sha256()
    failures = []

    def send(conn):
        try:
            send_random(conn, count, Meter(), sent)
            conn.shutdown(socket.SHUT_WR)
        except OSError as error:
            failures.append(error)

    with dial(args, PORTS["echo"]) as conn:
        sender = threading.Thread(target=send, args=(conn,), daemon=True)
        sender.start()
        received = 0
        try:
            while data := conn.recv(CHUNK):
                got.update(data)
                received += len(data)
                meter.add(len(data))
        finally:
            sender.join(args.patience)
        if failures:
            raise failures[0]
        if received < count:
            return early_end(conn, count, count), mptcp_state(conn)
        return ("done" if got.digest() == sent.digest() else "bad_answer"), mptcp_state(conn)


def echo(args, meter, result):
    outcome, state = echo_once(args, meter, args.bytes)
    result.update(state)
    return outcome


def many(args, meter, result):
    """--count short echo connections, --at-once of them at a time (all)."""
    outcomes = {}
    lock = threading.Lock()
    at_once = args.at_once or args.count
    barrier = threading.Barrier(at_once)

    def some(count):
        barrier.wait()
        for _ in range(count):
            try:
                outcome, _ = echo_once(args, Meter(), args.bytes)
            except OSError as error:
                outcome = outcome_of(error)
            with lock:
                outcomes[outcome] = outcomes.get(outcome, 0) + 1

    share, rest = divmod(args.count, at_once)
    threads = [threading.Thread(target=some, args=(share + (number < rest),)) for number in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    meter.add(args.bytes * outcomes.get("done", 0))
    result["outcomes"] = outcomes
    return "done" if outcomes == {"done": args.count} else "bad_answer"


def talk(args, meter, result):
    """Sends --bytes to a service that misbehaves and reads what comes; `eof` when the stream ends cleanly."""
    sent = Meter()
    result["sent"] = 0
    with dial(args, PORTS[args.service]) as conn:
        try:
            send_random(conn, args.bytes, sent, hashlib.sha256())
            while data := conn.recv(CHUNK):
                meter.add(len(data))
        finally:
            result["sent"] = sent.bytes
    return "eof"


def rate(args, meter, result):
    """Moves bytes for --seconds, down (from source) or up (into sink)."""
    with dial(args, PORTS["source" if args.direction == "down" else "sink"]) as conn:
        block = memoryview(bytearray(CHUNK))
        end = time.monotonic() + args.seconds
        while time.monotonic() < end:
            meter.add(conn.recv_into(block) if args.direction == "down" else conn.send(block))
        result.update(mptcp_state(conn))
    return "done"


def ping(args, meter, result):
    """ICMP echo requests, one at a time; counts the answers."""
    v6 = ":" in args.to
    kind, reply = (128, 129) if v6 else (8, 0)
    with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW,
                       socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP) as raw:
        raw.settimeout(0.2)
        ident = os.getpid() & 0xFFFF
        answers = 0
        for sequence in range(args.count):
            payload = os.urandom(32)
            head = struct.pack("!BBHHH", kind, 0, 0, ident, sequence)
            if not v6:
                head = struct.pack("!BBHHH", kind, 0, internet_checksum(head + payload), ident, sequence)
            raw.sendto(head + payload, (args.to, 0))
            answers += await_answer(raw, v6, (reply, ident, sequence), payload, args.patience)
    result["answers"] = answers
    meter.add(answers)
    return "done" if answers == args.count else "timeout"


def internet_checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def await_answer(raw, v6, expected, payload, patience):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            packet = raw.recv(2048)
        except TimeoutError:
            continue
        message = packet if v6 else packet[(packet[0] & 15) * 4:]
        kind, _, _, ident, sequence = struct.unpack_from("!BBHHH", message)
        if (kind, ident, sequence) == expected and message[8:] == payload:
            return 1
    return 0


def run_client(args):
    meter = Meter(args.progress)
    result = {}
    try:
        result["outcome"] = args.command(args, meter, result)
    except EOFError as error:
        result["outcome"] = error.args[0]
    except OSError as error:
        result["outcome"] = outcome_of(error)
        result["error"] = str(error)
    print(json.dumps(result | meter.result()), flush=True)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("serve").set_defaults(command=serve)
    for function in (download, upload, sink, pledge, echo, many, talk, rate, ping):
        sub = commands.add_parser(function.__name__, help=function.__doc__)
        sub.set_defaults(command=function)
        sub.add_argument("--to", required=True, help="address of the listener")
        sub.add_argument("--proto", choices=("mptcp", "tcp"), default="mptcp")
        sub.add_argument("--source", help="local address of the first subflow")
        sub.add_argument("--bytes", type=int, default=MIB)
        sub.add_argument("--patience", type=float, default=30, help="seconds without a byte before giving up")
        sub.add_argument("--progress", type=int, default=0, help="report every so many bytes")
        sub.add_argument("--name", default="upload")
        sub.add_argument("--service", choices=PORTS, default="sink")
        sub.add_argument("--joined", type=int, default=0, help="1: nothing is transferred before a second subflow is there")
        sub.add_argument("--slow", type=int, default=0, help="bytes per second to read at most")
        sub.add_argument("--break-off", type=int, default=0)
        sub.add_argument("--count", type=int, default=1)
        sub.add_argument("--at-once", type=int, default=0)
        sub.add_argument("--seconds", type=float, default=3)
        sub.add_argument("--direction", choices=("down", "up"), default="down")
    return parser.parse_args(argv)


if __name__ == "__main__":
    arguments = parse(sys.argv[1:])
    if arguments.command is serve:
        serve(arguments)
    else:
        run_client(arguments)
