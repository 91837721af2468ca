#include "kit/gateway.hpp"

#include <rte_mbuf.h>

#include <algorithm>

#include "kit/eal.hpp"
#include "kit/faults.hpp"

namespace braid::kit {

class Gateway::WorkerIo final : public engine::Io {
 public:
  explicit WorkerIo(Gateway& gateway) : gateway_(gateway) {}
  ~WorkerIo() override {
    for (auto& queue : queues_)
      for (rte_mbuf* m : queue) rte_pktmbuf_free(m);
  }

  [[nodiscard]] unsigned ports() const override { return gateway_.ports_; }
  unsigned receive(unsigned port, rte_mbuf** frames, unsigned max) override {
    auto& queue = queues_[port];
    unsigned n = 0;
    for (; n < max && !queue.empty(); ++n) {
      frames[n] = queue.front();
      queue.pop_front();
    }
    return n;
  }
  unsigned transmit(unsigned port, rte_mbuf** frames, unsigned count) override {
    for (unsigned i = 0; i < count; ++i) gateway_.transmit(port, frames[i]);
    return count;
  }
  bool punt(unsigned, rte_mbuf* frame) override {
    ++gateway_.punted_;
    rte_pktmbuf_free(frame);
    return true;
  }
  bool resolve(const wire::Hop&, rte_mbuf* frame) override {
    ++gateway_.unresolved_;
    rte_pktmbuf_free(frame);
    return true;
  }

  [[nodiscard]] const auto& queues() const { return queues_; }
  void queue(unsigned port, rte_mbuf* frame) { queues_[port].push_back(frame); }
  [[nodiscard]] bool waiting() const {
    return std::any_of(queues_.begin(), queues_.end(), [](const auto& q) { return !q.empty(); });
  }

 private:
  Gateway& gateway_;
  std::array<std::deque<rte_mbuf*>, limits::kMaxPorts> queues_;
};

Gateway::Gateway(World& world, relay::Settings relay, engine::Settings settings, unsigned workers,
                 wire::RouteTable routes)
    : world_(world),
      relay_(std::make_unique<relay::Settings>(std::move(relay))),
      handoff_(workers),
      hold_(world.seed() % 3 == 0 ? 0 : 8) {
  for (auto& l : relay_->listeners) l.profile.announce = l.announce_addresses;
  routes_.push_back(std::move(routes));
  if (routes_.back().generation == 0) routes_.back().generation = 1;
  Rng rng(world.seed() ^ 0x6761746577617900ULL);
  settings.relay = relay_.get();
  settings.workers = workers;
  settings.slices = std::max(settings.slices, workers);
  settings.buffers = pool();
  settings.buffer_count = kBuffers;
  settings.secret = {rng.next(), rng.next()};
  for (unsigned i = 0; i < workers; ++i) {
    settings.worker = i;
    settings.seed = rng.next();
    Worker w;
    w.io = std::make_unique<WorkerIo>(*this);
    w.engine = std::make_unique<engine::Engine>(settings, handoff_, world.now());
    w.engine->set_routes(&routes_.back());
    workers_.push_back(std::move(w));
  }
  const SipKey key{rng.next(), rng.next()};
  rss_ = [key, workers](const std::optional<wire::TcpFrame>& f) {
    return f ? static_cast<unsigned>(siphash(key, f->flow) % workers) : 0U;
  };
  world.add(*this);
}

Gateway::~Gateway() {
  world_.remove(*this);
  clean_nic();
}

void Gateway::set_routes(wire::RouteTable routes) {
  routes.generation = routes_.back().generation + 1;
  routes_.push_back(std::move(routes));
  for (auto& w : workers_) w.engine->set_routes(&routes_.back());
  turn_at_ = world_.now() + 1ms;
}

engine::Io& Gateway::io(unsigned i) { return *workers_[i].io; }

void Gateway::attach(unsigned port, Link& link) {
  links_[port] = &link;
  ports_ = std::max(ports_, port + 1);
}

void Gateway::take(Instant, unsigned port, Packet packet) {
  rte_mbuf* m = frame_of(packet);
  if (m == nullptr) return;  // the NIC has no buffer: it drops
  std::optional<wire::TcpFrame> f(std::in_place);
  if (wire::parse_frame(packet, wire::Trust::verify, *f) != wire::FrameKind::tcp) f.reset();
  workers_[rss_(f) % workers_.size()].io->queue(port, m);
}

Instant Gateway::next_at() const {
  Instant next = turn_at_;
  for (unsigned i = 0; i < workers_.size(); ++i) {
    if (workers_[i].io->waiting()) return world_.now();
    for (unsigned from = 0; from < workers_.size(); ++from)
      if (const_cast<engine::HandoffMatrix&>(handoff_).ring(from, i).size() != 0) return world_.now();
    next = std::min(next, workers_[i].engine->next_wake());
  }
  return next;
}

void Gateway::act(Instant now) {
  const GatewayActs counted;
  if (now >= turn_at_) turn_at_ = kNever;
  for (auto& w : workers_) w.engine->poll(now, *w.io);
}

void Gateway::transmit(unsigned port, rte_mbuf* frame) {
  Packet bytes = packet_of(frame);
  if (links_[port] != nullptr) links_[port]->send(*this, port, bytes);
  held_.push_back({frame, std::move(bytes)});
  while (held_.size() > hold_) release_oldest();
}

void Gateway::release_oldest() {
  const Held& h = held_.front();
  if (packet_of(h.frame) != h.bytes) ++overwritten_;
  rte_pktmbuf_free(h.frame);
  held_.pop_front();
}

bool Gateway::for_each_frame(const std::function<void(const rte_mbuf*)>& visit) {
  for (const Held& h : held_) visit(h.frame);
  for (const auto& w : workers_)
    for (const auto& queue : w.io->queues())
      for (const rte_mbuf* m : queue) visit(m);
  for (unsigned from = 0; from < workers_.size(); ++from)
    for (unsigned to = 0; to < workers_.size(); ++to)
      if (handoff_.ring(from, to).size() != 0) return false;
  return true;
}

void Gateway::clean_nic() {
  while (!held_.empty()) release_oldest();
}

namespace {
template <class Workers, class Get>
std::uint64_t sum(const Workers& workers, Get&& get) {
  std::uint64_t n = 0;
  for (const auto& w : workers) n += get(w.engine->stats());
  return n;
}
}  // namespace

std::uint64_t Gateway::drops(stats::Drop d) const {
  return sum(workers_, [d](const auto& s) { return s.drops[d]; });
}
std::uint64_t Gateway::all_drops() const {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < stats::Table<stats::Drop>::kSize; ++i) n += drops(static_cast<stats::Drop>(i));
  return n;
}
std::uint64_t Gateway::counter(stats::Counter c) const {
  return sum(workers_, [c](const auto& s) { return s.counters[c]; });
}
std::uint64_t Gateway::joins(stats::Join j) const {
  return sum(workers_, [j](const auto& s) { return s.joins[j]; });
}
std::uint64_t Gateway::fallbacks(stats::Fallback f) const {
  return sum(workers_, [f](const auto& s) { return s.fallbacks[f]; });
}

std::uint32_t Gateway::in_use() const {
  std::uint32_t n = 0;
  for (const auto& w : workers_) n += w.engine->use().total();
  return n;
}

std::vector<relay::AccessRecord> Gateway::records() {
  std::vector<relay::AccessRecord> out;
  std::array<relay::AccessRecord, 16> some;
  for (auto& w : workers_)
    while (const auto n = w.engine->records().pop(some))
      out.insert(out.end(), some.begin(), some.begin() + n);
  return out;
}

void Gateway::abort_all() {
  while (!end_some()) {
  }
}

bool Gateway::end_some() {
  bool done = true;
  for (auto& w : workers_) done = w.engine->end_some(world_.now(), *w.io) && done;
  return done;
}

}  // namespace braid::kit
