// A packet's way, on one page. docs/architecture.md 3 lists the same stages.
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <algorithm>

#include "engine/engine.hpp"

namespace braid::engine {

using stats::Counter;
using stats::Drop;

unsigned Engine::poll(Instant now, Io& io) {
  ctx_.now = now;
  ctx_.routes = routes_.load(std::memory_order_acquire);
  io_ = &io;
  unsigned work = receive_ports();  // receive, parse, find the flow, tcp, mptcp: burst by burst
  work += receive_handoffs();       // the same for what other workers handed over
  work += fire_alarms();            // timers before output, so that what they want goes out this turn
  for (unsigned round = 0; round < 3; ++round) {
    run_pairs();    // relay: segments change queues
    run_outputs();  // output: data, then the ACKs that no data carried
    if (touched_pairs_.empty()) break;
  }
  flush();  // transmit
  reap();
  answer_requests();
  if (now >= housekeeping_due_) housekeeping();
  return work;
}

unsigned Engine::receive_ports() {
  unsigned total = 0;
  std::array<rte_mbuf*, limits::kBurst> frames;
  for (unsigned port = 0; port < io_->ports(); ++port) {
    const unsigned n = io_->receive(port, frames.data(), limits::kBurst);
    if (n == 0) continue;
    stats_.rx_burst.observe(n);
    std::uint64_t bytes = 0;
    unsigned parsed = 0;
    for (unsigned i = 0; i < n; ++i) {
      if (i + 1 < n) rte_prefetch0(rte_pktmbuf_mtod(frames[i + 1], void*));
      bytes += frames[i]->pkt_len;
      Arrival& a = (*burst_)[parsed];
      a.frame = frames[i];
      a.port = static_cast<std::uint8_t>(port);
      a.handed = false;
      a.entry = kNoEntry;
      a.cookie = nullptr;
      if (parse(a)) ++parsed;
    }
    for (unsigned i = 0; i < parsed; ++i) dispatch((*burst_)[i]);
    stats_.counters.add(Counter::rx_frames, n);
    stats_.counters.add(Counter::rx_bytes, bytes);
    total += n;
  }
  return total;
}

unsigned Engine::receive_handoffs() {
  unsigned total = 0;
  std::array<Message, limits::kBurst> messages;
  for (unsigned from = 0; from < settings_.workers; ++from) {
    if (from == settings_.worker) continue;
    const auto n = handoff_.ring(from, settings_.worker).pop(messages);
    for (std::size_t i = 0; i < n; ++i) {
      const Message& m = messages[i];
      if (m.kind == Message::Kind::release) {
        release_redirect(m.entry, m.serial);
        continue;
      }
      Arrival& a = (*burst_)[0];
      a.frame = m.frame;
      a.port = m.port;
      a.handed = true;
      a.from = m.from;
      a.entry = m.entry;
      a.serial = m.serial;
      a.cookie = nullptr;
      if (parse(a)) dispatch(a);
    }
    total += static_cast<unsigned>(n);
  }
  return total;
}

unsigned Engine::fire_alarms() {
  ctx_.handshakes_crowded = handshaking_ > settings_.handshakes / 2;
  return wheel_.advance(ctx_.now, limits::kAlarmsPerTurn, [this](Alarm& alarm) {
    switch (static_cast<tcp::AlarmKind>(alarm.kind)) {
      case tcp::AlarmKind::connection:
        return static_cast<tcp::Connection&>(alarm).on_alarm(ctx_);
      case tcp::AlarmKind::session:
        return static_cast<mptcp::Session&>(alarm).on_alarm(ctx_);
      case tcp::AlarmKind::pair:
        return static_cast<relay::Pair&>(alarm).on_alarm(ctx_);
    }
  });
}

void Engine::run_pairs() {
  while (relay::Pair* pair = touched_pairs_.pop_front()) pair->run(ctx_);
}

void Engine::run_outputs() {
  while (tcp::Connection* c = ctx_.touched.pop_front()) c->output(ctx_);
}

void Engine::send_unresolved(const wire::Hop& hop, rte_mbuf* frame) {
  if (!io_->resolve(hop, frame)) ctx_.drop(frame, Drop::neighbour_queue);
}

void Engine::send(unsigned port, rte_mbuf* frame) {
  stats_.counters.add(Counter::tx_frames);
  stats_.counters.add(Counter::tx_bytes, frame->pkt_len);
  tx_[port][tx_count_[port]++] = frame;
  if (tx_count_[port] == limits::kBurst) flush();
}

void Engine::flush() {
  for (unsigned port = 0; port < limits::kMaxPorts; ++port) {
    const unsigned n = tx_count_[port];
    if (n == 0) continue;
    tx_count_[port] = 0;
    for (unsigned sent = io_->transmit(port, tx_[port].data(), n); sent < n; ++sent)
      ctx_.drop(tx_[port][sent], Drop::port_full);
  }
}

Instant Engine::next_wake() const {
  if (!ctx_.touched.empty() || !ctx_.dead.empty() || !touched_pairs_.empty() || asked_ != nullptr)
    return ctx_.now;
  const Instant tell = std::max(pairs_to_tell_ != 0 ? ctx_.now : presence_.due(), housekeeping_due_);
  return std::min(wheel_.next_due(), tell);
}

}  // namespace braid::engine
