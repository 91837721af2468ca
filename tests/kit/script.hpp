// A peer by hand, for packet-level tests. It knows the wire format and nothing of lib/tcp or lib/mptcp:
// numbers are counted here, hashes come straight from OpenSSL (mp_secrets.hpp).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kit/link.hpp"
#include "kit/world.hpp"
#include "wire/frame.hpp"

namespace braid::kit {

// Short names of flags, as in tcpdump.
inline constexpr std::uint8_t F = wire::kFin;
inline constexpr std::uint8_t S = wire::kSyn;
inline constexpr std::uint8_t R = wire::kRst;
inline constexpr std::uint8_t A = wire::kAck;

using Options = std::function<void(wire::OptionBuffer&)>;
// One set of options after another.
Options operator+(Options a, Options b);

// A segment to send. Numbers are relative to the initial ones: SYN is 0, the first byte 1.
struct Say {
  std::uint8_t flags = A;
  std::optional<std::uint32_t> seq{};     // default: after everything sent
  std::optional<std::uint32_t> ack{};     // default: everything heard
  std::optional<std::uint16_t> window{};  // field as it stands in the header; default: the last one
  std::string data{};
  Options options{};
  std::uint8_t ecn = 0;  // of the IP header
};

// A segment that came.
struct Heard {
  Instant at;
  wire::TcpFrame frame;
  Packet packet;
  std::uint32_t seq = 0;  // relative
  std::uint32_t ack = 0;
  std::string data;
  [[nodiscard]] bool has(std::uint8_t flags) const { return (frame.flags & flags) == flags; }
  [[nodiscard]] const wire::MptcpOptions& mp() const { return frame.options.mptcp; }
};

// What a segment is expected to be; PSH does not matter.
struct Want {
  std::uint8_t flags = A;
  std::optional<std::uint32_t> seq{};
  std::optional<std::uint32_t> ack{};
  std::optional<std::size_t> length{};
  std::optional<std::string> data{};
};

class Script;

// One end of one TCP connection.
class Remote {
 public:
  Remote(Script& script, unsigned port, const Flow& flow, std::uint32_t initial);

  void say(const Say& segment);
  // Waits for the next segment of this connection: it must come `after` from now, at most `slack` later, and
  // be as wanted. A failure names the difference.
  Heard expect(const Want& want, Duration after = 0ms, Duration slack = 1ms);
  // The next segment within `limit`, whatever it is.
  std::optional<Heard> next(Duration limit = 1ms);
  // Nothing comes for `d`.
  void quiet(Duration d);
  // Throws away what has come.
  void skip();
  // The same, but for what has data, SYN, FIN or RST.
  void skip_empty();
  // SYN, SYN/ACK, ACK with plain options. Timestamps when `stamps`.
  void handshake(std::uint16_t mss = 1460, bool sack = true, bool stamps = false, std::uint8_t scale = 7);
  // Answers a SYN that comes within `limit`; the ACK is taken too.
  void answer_syn(std::uint16_t mss = 1460, bool sack = true, Duration limit = 1ms);

  [[nodiscard]] const Flow& flow() const { return flow_; }
  [[nodiscard]] std::uint32_t sent() const { return next_seq_; }  // relative number of the next byte
  [[nodiscard]] std::uint32_t heard() const { return next_heard_; }
  [[nodiscard]] std::uint32_t initial() const { return initial_; }
  [[nodiscard]] std::uint32_t initial_of_peer() const { return peer_initial_; }
  // Time stamps on everything said from now on (0: none).
  std::uint32_t stamp = 0;
  std::uint32_t stamp_echo = 0;
  std::uint16_t window = 0xffff;

 private:
  friend class Script;
  Script& script_;
  unsigned port_;
  Flow flow_;  // local: ours
  std::uint32_t initial_;
  std::uint32_t peer_initial_ = 0;
  bool peer_known_ = false;
  std::uint32_t next_seq_ = 0;
  std::uint32_t next_heard_ = 0;
  std::deque<Heard> queue_;
};

class Script final : public Device {
 public:
  explicit Script(World& world) : world_(world) {}
  void attach(unsigned port, Link& link);
  // A connection with this name, ours being `local`.
  Remote& remote(unsigned port, const Endpoint& local, const Endpoint& peer, std::uint32_t initial = 1000);
  // The other end of a connection whose SYN came to `local` and is not taken yet; within `limit`.
  Remote* incoming(const Endpoint& local, Duration limit = 1ms);
  // Any bytes as they are.
  void raw(unsigned port, Packet packet);
  // A frame without a connection.
  static Packet build(const Flow& flow, const Say& segment, std::uint32_t seq, std::uint32_t ack,
                      ByteView options);

  void take(Instant now, unsigned port, Packet packet) override;
  [[nodiscard]] World& world() { return world_; }
  // Packets that belong to no connection here.
  [[nodiscard]] const std::vector<Heard>& strays() const { return strays_; }

 private:
  friend class Remote;
  World& world_;
  std::vector<Link*> links_;
  std::vector<std::unique_ptr<Remote>> remotes_;
  std::vector<Heard> strays_;
  std::vector<unsigned> stray_ports_;
};

std::string describe(const Heard& h);

}  // namespace braid::kit
