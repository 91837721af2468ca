// One line per segment, close to tcpdump's so that people and scripts can read it alike.
#include <cstdarg>
#include <cstdio>
#include <string>

#include "wire/frame.hpp"

namespace braid::wire {

namespace {

__attribute__((format(printf, 2, 3))) void append(std::string& out, const char* format, ...) {
  char text[160];
  va_list args;
  va_start(args, format);
  // clang 14 does not see that va_start() has initialised it.
  // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized)
  const int n = std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n > 0) out += text;
}

unsigned long long wide(std::uint64_t v) { return v; }

void print_capable(std::string& out, const MpCapable& m) {
  append(out, ",mptcp capable v%u%s%s%s", m.version, m.checksum_required ? " csum" : "",
         m.no_join_initial ? " nojoin" : "", m.extension ? " ext" : "");
  if (m.keys >= 1) append(out, " {0x%llx", wide(m.sender_key));
  if (m.keys == 2) append(out, ",0x%llx", wide(m.receiver_key));
  if (m.keys >= 1) out += '}';
  if (m.has_data_length) append(out, " len %u", m.data_length);
  if (m.has_checksum) append(out, " csum 0x%x", m.checksum);
}

void print_join(std::string& out, const MptcpOptions& o) {
  const MpJoin& m = o.join;
  const char* backup = m.backup ? " backup" : "";
  if (o.has(kMpJoinSyn))
    append(out, ",mptcp join%s id %u token 0x%x nonce 0x%x", backup, m.address_id, m.token, m.nonce);
  if (o.has(kMpJoinSynAck))
    append(out, ",mptcp join%s id %u hmac 0x%llx nonce 0x%x", backup, m.address_id, wide(m.hmac64), m.nonce);
  if (!o.has(kMpJoinAck)) return;
  out += ",mptcp join hmac 0x";
  for (const std::byte b : m.hmac160) append(out, "%02x", std::to_integer<unsigned>(b));
}

void print_dss(std::string& out, const Dss& d) {
  out += ",mptcp dss";
  if (d.data_fin) out += " fin";
  if (d.has_ack) append(out, " ack%s %llu", d.ack_is_8 ? "8" : "4", wide(d.data_ack));
  if (d.has_map)
    append(out, " seq%s %llu subseq %u len %u", d.dsn_is_8 ? "8" : "4", wide(d.dsn), d.ssn, d.length);
  if (d.has_checksum) append(out, " csum 0x%x", d.checksum);
}

void print_add_addr(std::string& out, const AddAddr& a) {
  append(out, ",mptcp add-addr%s id %u ", a.echo ? "-echo" : "", a.id);
  out += a.port == 0 ? braid::to_string(a.ip) : braid::to_string(Endpoint{a.ip, a.port});
  if (!a.echo) append(out, " hmac 0x%llx", wide(a.hmac));
}

void print_mptcp(std::string& out, const MptcpOptions& o) {
  if (o.has(kMpCapable)) print_capable(out, o.capable);
  print_join(out, o);
  if (o.has(kMpDss)) print_dss(out, o.dss);
  if (o.has(kMpAddAddr)) print_add_addr(out, o.add_addr);
  if (o.has(kMpRemoveAddr)) {
    out += ",mptcp rem-addr id";
    for (std::size_t i = 0; i < o.remove_addr.count; ++i) append(out, " %u", o.remove_addr.ids[i]);
  }
  if (o.has(kMpPrio)) append(out, ",mptcp prio%s", o.prio_backup ? " backup" : "");
  if (o.has(kMpFail)) append(out, ",mptcp fail seq %llu", wide(o.fail_dsn));
  if (o.has(kMpFastclose)) append(out, ",mptcp fast-close key 0x%llx", wide(o.fastclose_key));
  if (o.has(kMpTcprst))
    append(out, ",mptcp tcprst%s reason %u", o.tcprst.transient ? " transient" : "", o.tcprst.reason);
}

// A list that begins with a comma, or nothing.
std::string print_options(const TcpOptions& o) {
  std::string out;
  if (o.has_mss) append(out, ",mss %u", o.mss);
  if (o.has_window_scale) append(out, ",wscale %u", o.window_scale);
  if (o.sack_permitted) out += ",sackOK";
  if (o.has_timestamps) append(out, ",TS val %u ecr %u", o.ts_value, o.ts_echo);
  if (o.sack_count != 0) append(out, ",sack %u ", o.sack_count);
  for (std::size_t i = 0; i < o.sack_count; ++i)
    append(out, "{%u:%u}", o.sack[i].begin.raw, o.sack[i].end.raw);
  print_mptcp(out, o.mptcp);
  if (o.ignored != 0) append(out, ",ignored %u", o.ignored);
  return out;
}

std::string print_flags(const TcpFrame& f) {
  std::string out;
  for (const auto& [flag, letter] : {std::pair{kSyn, 'S'},
                                     {kFin, 'F'},
                                     {kRst, 'R'},
                                     {kPsh, 'P'},
                                     {kCwr, 'W'},
                                     {kEce, 'E'},
                                     {kUrg, 'U'},
                                     {kAck, '.'}})
    if (f.has(flag)) out += letter;
  return out.empty() ? "none" : out;
}

}  // namespace

std::string to_string(const TcpFrame& frame) {
  std::string out = braid::to_string(frame.flow) + ": Flags [" + print_flags(frame) + "]";
  if (frame.payload_length != 0) {
    append(out, ", seq %u:%u", frame.seq.raw, (frame.seq + frame.payload_length).raw);
  } else {
    append(out, ", seq %u", frame.seq.raw);
  }
  if (frame.has(kAck)) append(out, ", ack %u", frame.ack.raw);
  append(out, ", win %u", frame.window);
  if (const std::string options = print_options(frame.options); !options.empty())
    out += ", options [" + options.substr(1) + "]";
  append(out, ", length %u", frame.payload_length);
  return out;
}

}  // namespace braid::wire
