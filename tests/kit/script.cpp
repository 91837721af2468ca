#include "kit/script.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace braid::kit {

Options operator+(Options a, Options b) {
  return [a = std::move(a), b = std::move(b)](wire::OptionBuffer& o) {
    if (a) a(o);
    if (b) b(o);
  };
}

std::string describe(const Heard& h) {
  return wire::to_string(h.frame) + " (relative seq " + std::to_string(h.seq) + " ack " +
         std::to_string(h.ack) + " data " + std::to_string(h.data.size()) + ")";
}

Remote::Remote(Script& script, unsigned port, const Flow& flow, std::uint32_t initial)
    : script_(script), port_(port), flow_(flow), initial_(initial) {}

Packet Script::build(const Flow& flow, const Say& s, std::uint32_t seq, std::uint32_t ack, ByteView options) {
  wire::FrameOut out;
  out.source = Mac{{2, 0, 0, 0, 2, 1}};
  out.destination = Mac{{2, 0, 0, 0, 0, 1}};
  out.flow = flow;
  out.seq = SubSeq(seq);
  out.ack = SubSeq((s.flags & A) != 0 ? ack : 0);
  out.window = s.window.value_or(0xffff);
  out.flags = s.flags;
  out.ecn = s.ecn;
  return assemble(out, options, std::as_bytes(std::span(s.data)));
}

void Remote::say(const Say& given) {
  Say s = given;
  const std::uint32_t seq = s.seq.value_or(next_seq_);
  if (!s.window) s.window = window;
  wire::OptionBuffer o;
  if (stamp != 0) o.timestamps(stamp, stamp_echo);
  if (s.options) s.options(o);
  const std::uint32_t ack = peer_initial_ + s.ack.value_or(next_heard_);
  Packet p = Script::build(flow_, s, initial_ + seq, ack, o.padded());
  const auto length = static_cast<std::uint32_t>(s.data.size()) + ((s.flags & S) != 0 ? 1U : 0U) +
                      ((s.flags & F) != 0 ? 1U : 0U);
  if ((s.flags & R) == 0) next_seq_ = std::max(next_seq_, seq + length);
  script_.raw(port_, std::move(p));
}

std::optional<Heard> Remote::next(Duration limit) {
  script_.world_.run_until([this] { return !queue_.empty(); }, limit);
  if (queue_.empty()) return {};
  Heard h = std::move(queue_.front());
  queue_.pop_front();
  return h;
}

Heard Remote::expect(const Want& want, Duration after, Duration slack) {
  const Instant from = script_.world_.now();
  const auto h = next(after + slack);
  if (!h) {
    ADD_FAILURE() << "no segment within " << (after + slack).count() / 1'000'000 << " ms of "
                  << (from - script_.world_.start()).count() / 1000 << " us, wanted flags "
                  << int{want.flags};
    return {};
  }
  const auto late = h->at - from;
  if (after > 0ms) {
    EXPECT_GE(late.count(), after.count()) << "too early: " << describe(*h);
  }
  constexpr std::uint8_t kCompared = F | S | R | A;
  EXPECT_EQ(h->frame.flags & kCompared, want.flags) << describe(*h);
  if (want.seq) {
    EXPECT_EQ(h->seq, *want.seq) << describe(*h);
  }
  if (want.ack) {
    EXPECT_EQ(h->ack, *want.ack) << describe(*h);
  }
  if (want.length) {
    EXPECT_EQ(h->data.size(), *want.length) << describe(*h);
  }
  if (want.data) {
    EXPECT_EQ(h->data, *want.data) << describe(*h);
  }
  return *h;
}

void Remote::quiet(Duration d) {
  script_.world_.run_for(d);
  for (const Heard& h : queue_)
    ADD_FAILURE() << "unexpected at " << (h.at - script_.world_.start()).count() / 1000
                  << " us: " << describe(h);
  queue_.clear();
}

void Remote::skip() {
  script_.world_.run_for(0ms);
  queue_.clear();
}

void Remote::skip_empty() {
  script_.world_.run_for(0ms);
  std::erase_if(queue_, [](const Heard& h) { return h.data.empty() && (h.frame.flags & (F | S | R)) == 0; });
}

void Remote::handshake(std::uint16_t mss, bool sack, bool stamps, std::uint8_t scale) {
  if (stamps) stamp = 1;
  say({.flags = S, .options = [=](wire::OptionBuffer& o) {
         o.mss(mss);
         if (sack) o.sack_permitted();
         if (scale != 0) o.window_scale(scale);
       }});
  const Heard h = expect({.flags = static_cast<std::uint8_t>(S | A), .seq = 0, .ack = 1});
  if (stamps) stamp_echo = h.frame.options.ts_value;
  say({});
}

void Remote::answer_syn(std::uint16_t mss, bool sack, Duration limit) {
  const auto h = next(limit);
  ASSERT_TRUE(h.has_value()) << "no SYN";
  ASSERT_TRUE(h->has(S)) << describe(*h);
  say({.flags = static_cast<std::uint8_t>(S | A), .options = [=](wire::OptionBuffer& o) {
         o.mss(mss);
         if (sack) o.sack_permitted();
         o.window_scale(7);
       }});
  expect({.flags = A, .seq = 1, .ack = 1});
}

void Script::attach(unsigned port, Link& link) {
  if (links_.size() <= port) links_.resize(port + 1);
  links_[port] = &link;
}

Remote& Script::remote(unsigned port, const Endpoint& local, const Endpoint& peer, std::uint32_t initial) {
  remotes_.push_back(std::make_unique<Remote>(*this, port, Flow{local, peer}, initial));
  return *remotes_.back();
}

Remote* Script::incoming(const Endpoint& local, Duration limit) {
  const auto find = [&] {
    return std::find_if(strays_.begin(), strays_.end(),
                        [&](const Heard& h) { return h.frame.flow.local == local && h.has(S) && !h.has(A); });
  };
  world_.run_until([&] { return find() != strays_.end(); }, limit);
  const auto it = find();
  if (it == strays_.end()) return nullptr;
  const unsigned port = stray_ports_[static_cast<std::size_t>(it - strays_.begin())];
  Remote& r = remote(port, local, it->frame.flow.remote, 5000);
  Packet p = it->packet;
  stray_ports_.erase(stray_ports_.begin() + (it - strays_.begin()));
  strays_.erase(it);
  take(world_.now(), port, std::move(p));
  return &r;
}

void Script::raw(unsigned port, Packet packet) { links_.at(port)->send(*this, port, std::move(packet)); }

void Script::take(Instant now, unsigned port, Packet packet) {
  Heard h;
  h.at = now;
  const auto kind = wire::parse_frame(packet, wire::Trust::verify, h.frame);
  ASSERT_EQ(kind, wire::FrameKind::tcp) << "the engine sent something else than a sound TCP segment";
  const ByteView data = payload_of(packet, h.frame);
  h.data.assign(reinterpret_cast<const char*>(data.data()), data.size());
  h.packet = std::move(packet);
  for (auto it = remotes_.rbegin(); it != remotes_.rend(); ++it) {
    Remote& r = **it;
    if (r.flow_ != h.frame.flow) continue;
    if (h.has(S)) {
      r.peer_initial_ = h.frame.seq.raw;
      r.peer_known_ = true;
    }
    h.seq = h.frame.seq.raw - r.peer_initial_;
    h.ack = h.has(A) ? h.frame.ack.raw - r.initial_ : 0;
    if (!h.has(R)) {
      const std::uint32_t end = h.seq + h.frame.seq_length();
      if (static_cast<std::int32_t>(end - r.next_heard_) > 0) r.next_heard_ = end;
    }
    r.queue_.push_back(std::move(h));
    return;
  }
  strays_.push_back(std::move(h));
  stray_ports_.push_back(port);
}

}  // namespace braid::kit
