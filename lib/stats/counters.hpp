// Every counter the data path keeps, by name. Drop reasons are the only way to discard a packet; the tables
// here are the source of metrics, of `braidctl stats` and `drops`, and of docs/metrics.md.
#pragma once

#include <span>

#include "stats/table.hpp"

namespace braid::stats {

// X(id, text)
#define BRAID_DROPS(X)                                                                                \
  X(short_frame, "frame ends inside a header")                                                        \
  X(bad_ip_header, "IP version, header length or total length is impossible")                         \
  X(bad_ip_checksum, "IPv4 header checksum is wrong")                                                 \
  X(ip_fragment, "TCP in an IP fragment to a proxied address; fragments are refused")                 \
  X(ipv6_extension, "IPv6 extension header that is refused (routing, too many, or malformed)")        \
  X(bad_source, "source address cannot be an end of a TCP connection")                                \
  X(bad_tcp_header, "TCP data offset is impossible")                                                  \
  X(bad_tcp_checksum, "TCP checksum is wrong")                                                        \
  X(no_listener, "SYN to a proxied address on which no listener waits; answered by RST")              \
  X(no_connection, "TCP segment for no known connection; answered by RST")                            \
  X(stray_reset, "RST for no known connection")                                                       \
  X(bad_flags, "combination of TCP flags that no state accepts")                                      \
  X(connection_limit, "a pool of connections, subflows or sessions is exhausted")                     \
  X(out_of_window, "sequence number outside the receive window")                                      \
  X(before_first, "segment that overtook the one which completes the handshake; the peer repeats it") \
  X(old_duplicate, "segment holds only bytes already received")                                       \
  X(paws, "timestamp older than the last one (RFC 7323 5)")                                           \
  X(bad_ack, "acknowledgement number outside what was sent (RFC 5961 5)")                             \
  X(challenge_reset, "RST in the window but not at its edge (RFC 5961 3)")                            \
  X(challenge_syn, "SYN on a synchronised connection (RFC 5961 4)")                                   \
  X(bad_reset, "RST outside the window")                                                              \
  X(after_close, "data after the stream was closed")                                                  \
  X(receive_pieces, "too many out-of-order pieces held for one connection")                           \
  X(receive_budget, "bytes beyond the window, or beyond what a session may hold")                     \
  X(join_no_token, "MP_JOIN for an unknown token (as MPTcpExtMPJoinNoTokenFound)")                    \
  X(join_refused, "MP_JOIN that the session cannot take: limit, fallback, closing or wrong listener") \
  X(join_bad_hmac, "MP_JOIN third ACK with a wrong HMAC (as MPTcpExtMPJoinAckHMacFailure)")           \
  X(join_no_hmac, "MP_JOIN subflow spoke before its third ACK")                                       \
  X(data_out_of_window, "data sequence outside the session's window (as MPTcpExtNoDSSInWindow)")      \
  X(data_duplicate, "data bytes that another subflow has already brought (as MPTcpExtDuplicateData)") \
  X(data_unmapped, "subflow bytes without a mapping")                                                 \
  X(data_checksum, "DSS checksum is wrong (as MPTcpExtDataCsumErr)")                                  \
  X(no_route, "no route to the destination")                                                          \
  X(neighbour_queue, "too many packets wait for a neighbour's address")                               \
  X(no_buffer, "no packet buffer free")                                                               \
  X(port_full, "the port's transmit queue did not take the packet")                                   \
  X(handoff_full, "the ring to the owning worker is full")                                            \
  X(icmp_stray, "ICMP error about no known connection")                                               \
  X(icmp_limit, "ICMP errors to be shown to other workers, above the rate of that")                   \
  X(mirror_limit, "packet for the kernel above the mirror's rate")                                    \
  X(mirror_full, "the ring to the kernel mirror is full")                                             \
  X(redirect_limit, "no room for another redirect entry")

enum class Drop : std::uint8_t {
#define X(id, text) id,
  BRAID_DROPS(X)
#undef X
      count_
};

// X(id, text)
#define BRAID_COUNTERS(X)                                                                                  \
  X(loops, "turns of the worker's loop")                                                                   \
  X(busy_ns, "nanoseconds spent in turns that had work")                                                   \
  X(rx_frames, "frames received from ports")                                                               \
  X(rx_bytes, "bytes received from ports")                                                                 \
  X(tx_frames, "frames handed to ports")                                                                   \
  X(tx_bytes, "bytes handed to ports")                                                                     \
  X(handoffs, "packets handed to the worker that owns their flow")                                         \
  X(punted, "packets given to the kernel mirror")                                                          \
  X(injected, "packets the kernel sent through the mirror")                                                \
  X(client_accepted_mptcp, "client connections accepted with MPTCP (as MPTcpExtMPCapableACKRX)")           \
  X(client_accepted_tcp, "client connections accepted as plain TCP")                                       \
  X(client_closed, "client connections ended")                                                             \
  X(upstream_connected, "connections established to servers")                                              \
  X(upstream_failed, "attempts to reach a server that failed")                                             \
  X(subflows_opened, "subflows established, the first of a session included")                              \
  X(subflows_closed, "subflows ended")                                                                     \
  X(relay_bytes_up, "bytes relayed from clients to servers")                                               \
  X(relay_bytes_down, "bytes relayed from servers to clients")                                             \
  X(relay_paused_up, "times a client was paused because its server was slower")                            \
  X(relay_paused_down, "times a server was paused because its client was slower")                          \
  X(tcp_retransmitted_segments, "TCP segments sent again (as TcpRetransSegs)")                             \
  X(tcp_retransmitted_bytes, "TCP payload bytes sent again")                                               \
  X(tcp_timeouts, "retransmission time-outs (as TcpExtTCPTimeouts)")                                       \
  X(tcp_tail_probes, "tail loss probes sent (as TcpExtTCPLossProbes)")                                     \
  X(tcp_fast_recoveries, "entries into fast recovery (as TcpExtTCPSackRecovery)")                          \
  X(tcp_recoveries_undone, "recoveries that turned out to be needless (as TcpExtTCPFullUndo)")             \
  X(tcp_ecn_marks, "segments received with a congestion mark (as IpExtInCEPkts)")                          \
  X(tcp_ecn_reductions, "congestion windows reduced for a mark that the peer saw")                         \
  X(tcp_zero_window_probes, "probes of a closed window (as TcpExtTCPWinProbe)")                            \
  X(tcp_keepalives, "keepalive probes sent (as TcpExtTCPKeepAlive)")                                       \
  X(tcp_challenge_acks, "challenge ACKs sent (as TcpExtTCPChallengeACK)")                                  \
  X(tcp_out_of_order, "segments received out of order (as TcpExtTCPOFOQueue)")                             \
  X(tcp_urgent, "segments received with urgent data, which went on as any other")                          \
  X(tcp_resets_sent, "RST segments sent (as TcpOutRsts)")                                                  \
  X(tcp_resets_received, "RST segments accepted")                                                          \
  X(tcp_mtu_lowered, "times a path turned out to take smaller packets")                                    \
  X(icmp_ignored, "ICMP errors about nothing on the way (as TcpExtOutOfWindowIcmps), or no reason to end") \
  X(tcp_cookies_sent, "SYNs answered by a cookie (as TcpExtSyncookiesSent)")                               \
  X(tcp_cookies_accepted, "clients that came back with their cookie (as TcpExtSyncookiesRecv)")            \
  X(tcp_cookies_failed, "segments that looked like a cookie's and were none (as TcpExtSyncookiesFailed)")  \
  X(tcp_time_wait_recycled, "connections in TIME-WAIT that gave way (as TcpExtTWRecycled)")                \
  X(tcp_acks_sent, "segments sent without data")                                                           \
  X(options_ignored, "malformed or unknown TCP or MPTCP options skipped")                                  \
  X(mptcp_reinjected_segments, "segments sent again on another subflow")                                   \
  X(mptcp_reinjected_bytes, "bytes sent again on another subflow")                                         \
  X(mptcp_out_of_order, "segments that arrived ahead in data sequence (as MPTcpExtOFOQueue)")              \
  X(mptcp_subflows_stale, "subflows found stale (as MPTcpExtSubflowStale)")                                \
  X(mptcp_subflows_recovered, "stale subflows that answered again (as MPTcpExtSubflowRecover)")            \
  X(mptcp_bytes_first, "payload bytes sent and received on first subflows")                                \
  X(mptcp_bytes_joined, "payload bytes sent and received on joined subflows")                              \
  X(mptcp_bytes_backup, "payload bytes sent and received on backup subflows")                              \
  X(mptcp_add_addr_sent, "ADD_ADDR sent (as MPTcpExtAddAddrTx)")                                           \
  X(mptcp_add_addr_received, "valid ADD_ADDR received (as MPTcpExtAddAddr)")                               \
  X(mptcp_add_addr_bad_hmac, "ADD_ADDR with a wrong HMAC ignored")                                         \
  X(mptcp_add_addr_echoed, "echoes of our ADD_ADDR received (as MPTcpExtEchoAdd)")                         \
  X(mptcp_remove_addr_sent, "REMOVE_ADDR sent (as MPTcpExtRmAddrTx)")                                      \
  X(mptcp_remove_addr_received, "REMOVE_ADDR received (as MPTcpExtRmAddr)")                                \
  X(mptcp_prio_received, "MP_PRIO received (as MPTcpExtMPPrioRx)")                                         \
  X(mptcp_fastclose_sent, "MP_FASTCLOSE sent (as MPTcpExtMPFastcloseTx)")                                  \
  X(mptcp_fastclose_received, "MP_FASTCLOSE accepted (as MPTcpExtMPFastcloseRx)")                          \
  X(mptcp_fail_sent, "MP_FAIL sent (as MPTcpExtMPFailTx)")                                                 \
  X(mptcp_fail_received, "MP_FAIL received (as MPTcpExtMPFailRx)")                                         \
  X(mptcp_sessions_held, "times a session lost its last subflow and was held for a join")                  \
  X(mptcp_key_draws, "keys drawn until a token fell into the worker's slice")                              \
  X(invariant, "broken internal invariants; each closed its session")                                      \
  X(records_lost, "access records lost because the control core was behind")

enum class Counter : std::uint8_t {
#define X(id, text) id,
  BRAID_COUNTERS(X)
#undef X
      count_
};

// Why a client that asked for MPTCP is served without it (RFC 8684 3.7).
#define BRAID_FALLBACKS(X)                                             \
  X(third_ack, "no MP_CAPABLE on the first segment after the SYN/ACK") \
  X(bad_keys, "MP_CAPABLE third ACK does not echo our key")            \
  X(version, "MPTCP version 0 or a malformed MP_CAPABLE SYN")          \
  X(retried_syn, "the client repeated its SYN without MP_CAPABLE")     \
  X(no_token, "no free token in this worker's slice")                  \
  X(no_mapping, "data without a mapping before any was confirmed")     \
  X(stripped, "MPTCP options vanished in mid-stream")                  \
  X(checksum, "DSS checksum failed on the only subflow")               \
  X(peer, "the peer sent an infinite mapping or MP_FAIL")              \
  X(disabled, "the listener does not offer MPTCP")

enum class Fallback : std::uint8_t {
#define X(id, text) id,
  BRAID_FALLBACKS(X)
#undef X
      count_
};

#define BRAID_JOINS(X)                                                              \
  X(ok, "subflow joined (as MPTcpExtMPJoinAckRx)")                                  \
  X(no_token, "token unknown (as MPTcpExtMPJoinNoTokenFound)")                      \
  X(bad_hmac, "third ACK's HMAC wrong (as MPTcpExtMPJoinAckHMacFailure)")           \
  X(limit, "the session has all the subflows it may have, or no memory for one")    \
  X(not_established, "the session is not fully established yet, or is closing")     \
  X(fallback, "the session has fallen back to TCP")                                 \
  X(wrong_address, "destination neither belongs to the listener nor was announced") \
  X(timeout, "third ACK never came")                                                \
  X(aborted, "reset or closed before the third ACK")

enum class Join : std::uint8_t {
#define X(id, text) id,
  BRAID_JOINS(X)
#undef X
      count_
};

// MP_TCPRST reasons 0-6 (RFC 8684 3.6), and resets that carried none.
#define BRAID_RST_REASONS(X)                   \
  X(unspecified, "unspecified error")          \
  X(mptcp, "MPTCP-specific error")             \
  X(resources, "lack of resources")            \
  X(prohibited, "administratively prohibited") \
  X(outstanding, "too much outstanding data")  \
  X(performance, "unacceptable performance")   \
  X(middlebox, "middlebox interference")       \
  X(none, "RST without MP_TCPRST")

enum class RstReason : std::uint8_t {
#define X(id, text) id,
  BRAID_RST_REASONS(X)
#undef X
      count_
};

std::span<const Description> descriptions(Drop);
std::span<const Description> descriptions(Counter);
std::span<const Description> descriptions(Fallback);
std::span<const Description> descriptions(Join);
std::span<const Description> descriptions(RstReason);

template <class Id>
const Description& describe(Id id) {
  return descriptions(Id{})[static_cast<std::size_t>(id)];
}

}  // namespace braid::stats
