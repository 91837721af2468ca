// Two streams and the bytes between them: a client connection and its server connection. Segments change
// queues, payload is not touched; a direction's buffer is counted from the moment a byte is received on one
// side until the other side's peer has acknowledged it, which is what holds the sender back.
#pragma once

#include <cstdint>

#include "relay/access_record.hpp"
#include "relay/right_sizing.hpp"
#include "relay/settings.hpp"
#include "tcp/stream.hpp"

namespace braid::relay {

using tcp::Context;
using tcp::Stream;

class Pair;

// What a pair needs of its worker.
class PairHost {
 public:
  virtual ~PairHost() = default;
  // Begins a connection to `server`; nullptr when that is impossible now (no route, no port, no memory).
  virtual Stream* connect(Context& ctx, Pair& pair, const Upstream& upstream, const Endpoint& server,
                          std::uint16_t max_segment) = 0;
  // Both streams are released; the pair is freed at the end of the turn.
  virtual void pair_ended(Context& ctx, Pair& pair, AccessRecord record) = 0;
  // The pair wants run() this turn.
  virtual void pair_touched(Pair& pair) = 0;
  [[nodiscard]] virtual const Settings& settings() const = 0;
  // The client's handshake is complete. Returns the server to begin with (round robin).
  virtual unsigned pair_opened(Context& ctx, Pair& pair, const Upstream& upstream) = 0;
};

class Pair final : public tcp::StreamUser, public Alarm, public tcp::TouchHook {
 public:
  Pair(PairHost& host, const Listener& listener, Stream& client, const Flow& flow, Instant now);
  ~Pair() override { Alarm::unlink(); }

  void touch(Context&) override { host_.pair_touched(*this); }
  void run(Context& ctx);
  void on_alarm(Context& ctx);
  // Ends the pair now, both sides being told.
  void end(Context& ctx, Who who, Phase phase);

  [[nodiscard]] bool linked() const { return TouchHook::linked(); }

  [[nodiscard]] const Listener& listener() const { return listener_; }
  [[nodiscard]] Stream& client() const { return *client_; }
  [[nodiscard]] Stream* server() const { return server_; }
  [[nodiscard]] const Flow& client_flow() const { return flow_; }
  // Of the server tried last; unset before the first.
  [[nodiscard]] Endpoint server_address() const;
  [[nodiscard]] std::uint64_t bytes_up() const { return bytes_up_; }
  [[nodiscard]] std::uint64_t bytes_down() const { return bytes_down_; }
  [[nodiscard]] Instant began() const { return began_; }
  [[nodiscard]] Instant last_active() const { return active_; }
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] unsigned server_index() const { return server_index_; }

  std::uint64_t id = 0;  // unique in the process: worker in the top byte

 private:
  void start_connect(Context& ctx);
  void run_connecting(Context& ctx);
  void run_data(Context& ctx);
  bool move(Context& ctx, Stream& from, Stream& to, bool up);
  void write(Context& ctx, tcp::SegmentQueue& queue, Stream& to, bool up);
  void note_room(Context& ctx, Stream& to, bool up);
  void size_buffer(Context& ctx, Stream& from, Stream& to, RightSizing& sizing, std::uint32_t freed);
  static void count_buffered(Context& ctx, std::int64_t bytes);
  void check_ends(Context& ctx);
  void arm(Context& ctx);
  [[nodiscard]] bool half_closed() const;
  [[nodiscard]] Duration patience() const;
  [[nodiscard]] const Upstream& upstream() const { return host_.settings().upstreams[listener_.upstream]; }
  static Who blame(tcp::Failure failure, Who side);

  PairHost& host_;
  const Listener& listener_;
  Stream* client_;
  Stream* server_ = nullptr;
  Flow flow_;  // of the client
  Instant began_;
  Instant active_;  // last byte moved
  std::uint64_t bytes_up_ = 0;
  std::uint64_t bytes_down_ = 0;
  RightSizing up_;
  RightSizing down_;
  Deadline connect_due_;
  std::uint32_t connect_us_ = 0;  // when it began; from phase `data` on, how long it took
  std::uint8_t server_index_ = 0;
  std::uint8_t attempts_ = 0;
  Phase phase_ = Phase::handshake;
  bool client_done_ = false;  // its end was passed on to the server
  bool server_done_ = false;
  bool paused_up_ = false;
  bool paused_down_ = false;
  bool ended_ = false;
};

}  // namespace braid::relay
