"""An independent dissector finds nothing wrong with what is on the wire."""

import subprocess

from lab import GATEWAY

MIB = 1 << 20
# tshark also misses the mapping of segments that have no bytes to map, and calls a checksum of 0xffff wrong, which the
# kernel writes now and then for IPv6: it is the other zero of one's complement, and every receiver takes it.
# It takes no mapping from a segment whose first copy was lost before the capture point; that ours carry one all the same
# is asked for by the last clause.
WRONG = ("_ws.malformed || (tcp.checksum.status == 0 && tcp.checksum != 0xffff) || ip.checksum.status == 0 || "
         "mptcp.connection.echoed_key_mismatch || "
         "mptcp.connection.missing_algorithm || mptcp.connection.unsupported_algorithm || mptcp.dss.infinite_mapping || "
         "(mptcp.dss.missing_mapping && tcp.len > 0 && !tcp.analysis.retransmission && !tcp.analysis.fast_retransmission && "
         "!tcp.analysis.spurious_retransmission && !tcp.analysis.out_of_order) || tcp.option.len.invalid || "
         "(ip.src == 198.18.0.10 && tcp.len > 0 && mptcp && !tcp.options.mptcp.rawdataseqno)")
PREFERENCES = ("tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "mptcp.analyze_mappings:TRUE",
               "mptcp.relative_sequence_numbers:TRUE")
PAYLOAD_IS_DATA = "tcp.port==1-65535,data"  # random bytes would look like all kinds of protocols
MP_JOIN, DSS = 1, 2


class Capture:
    """dumpcap on both access links of the client, at most 100 MB."""

    def __init__(self, lab, path):
        self._argv = lab.argv("client", "dumpcap", "-q", "-i", "a", "-i", "b", "-B", "64", "-w", path, "-a", "filesize:100000")

    def __enter__(self):
        self._process = subprocess.Popen(self._argv, stderr=subprocess.PIPE, text=True)
        for line in self._process.stderr:
            if line.startswith("File:"):
                return self
        raise RuntimeError("dumpcap did not start")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.communicate()


def frames(path, display_filter):
    options = [word for preference in PREFERENCES for word in ("-o", preference)]
    out = subprocess.run(["tshark", "-r", path, "-d", PAYLOAD_IS_DATA, *options, "-Y", display_filter], check=True, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return out.splitlines()


def test_trace_has_nothing_malformed(shaped_lab, family, tmp_path):
    trace = tmp_path / "client.pcapng"
    with Capture(shaped_lab, trace):
        for command, size in (("download", 8 * MIB), ("upload", 8 * MIB), ("echo", MIB)):
            got = shaped_lab.client(command, to=GATEWAY[family], bytes=size, name="trace")
            assert got["outcome"] == "done", got
    assert len(frames(trace, f"tcp.options.mptcp.subtype == {DSS}")) > 1000  # the trace holds what it should
    assert len(frames(trace, f"tcp.options.mptcp.subtype == {MP_JOIN} && tcp.flags.syn == 1 && tcp.flags.ack == 1")) == 3
    assert not frames(trace, WRONG)[:10]
