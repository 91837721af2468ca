// libFuzzer target: transfers between hosts that keep the rules, over a network that need not. The input says
// what happens to packets and when, and what programs, the operator and memory do meanwhile. Whatever that
// is, the engine lives, every session ends by its time-outs, and no object or buffer is left. As long as
// nothing was forged, every program receives a prefix of what was sent, and sees the stream's end only behind
// the whole of it.
#include <deque>
#include <memory>

#include "fuzz/world.hpp"
#include "kit/mutant.hpp"

namespace braid::kit {
namespace {

using fuzz::Input;

constexpr std::uint64_t kUp = 20'000;
constexpr std::uint64_t kDown = 60'000;

// What a link's middle does to the packets of each direction.
class Tap {
 public:
  explicit Tap(Link& link) : link_(link) {
    link.set_middlebox([this](Packet& p, const wire::TcpFrame& f, bool forward) {
      return pass(p, f, side_[forward ? 1 : 0]);
    });
  }

  // Returns whether that forged something.
  bool act(Input& in) {
    const bool forward = in.flag();
    Side& side = side_[forward ? 1 : 0];
    switch (in.below(8)) {
      case 0:
        side.drop = in.take<std::uint8_t>();
        return false;
      case 1:
        side.hold = 1 + in.below(16);
        return false;
      case 2:
        for (; !side.held.empty(); side.held.pop_front()) link_.inject(forward, std::move(side.held.front()));
        return false;
      case 3:
        if (link_.is_cut()) {
          link_.uncut();
        } else {
          link_.cut();
        }
        return false;
      case 4:
        strip_ = !strip_;
        return false;
      case 5:
        if (side.seen.empty()) return false;
        link_.inject(forward, side.seen[in.below(static_cast<std::uint32_t>(side.seen.size()))]);
        return false;
      default: {
        if (side.seen.empty()) return false;
        const Packet& p = side.seen[in.below(static_cast<std::uint32_t>(side.seen.size()))];
        wire::TcpFrame f;
        if (wire::parse_frame(p, wire::Trust::verify, f) != wire::FrameKind::tcp) return false;
        link_.inject(forward, mutant(p, f, in));
        return true;
      }
    }
  }

  // The network is at its best again.
  void calm() {
    side_ = {};
    strip_ = false;
    link_.uncut();
  }

 private:
  struct Side {
    unsigned drop = 0;  // so many are lost
    unsigned hold = 0;  // so many are kept back
    std::deque<Packet> held;
    std::deque<Packet> seen;  // the last ones, newest first
  };

  bool pass(Packet& p, const wire::TcpFrame& f, Side& side) {
    constexpr std::size_t kSeen = 8;
    if (side.drop != 0) return --side.drop, false;
    if (strip_) p = strip_mptcp(p, f);
    side.seen.push_front(p);
    if (side.seen.size() > kSeen) side.seen.pop_back();
    if (side.hold == 0) return true;
    --side.hold;
    side.held.push_back(p);
    return false;
  }

  Link& link_;
  std::array<Side, 2> side_;
  bool strip_ = false;
};

class Scene {
 public:
  Scene(Lab& lab, bool plain) : lab_(lab) {
    for (const auto& link : lab.world.links()) taps_.push_back(std::make_unique<Tap>(*link));
    start(plain);
  }

  void act(Input& in) {
    join_first();
    const auto what = in.take<std::uint8_t>();
    switch (what % 4) {
      case 0:
        return lab_.world.run_for(std::chrono::microseconds(1ULL << (what / 4 % 26U)));
      case 1:
        return programs(in);
      case 2:
        return gateway(in);
      default:
        forged_ |= taps_[what / 4U % taps_.size()]->act(in);
    }
  }

  // Everything may go on undisturbed, and does to some end.
  void finish() {
    shortage_.reset();
    for (auto& t : taps_) t->calm();
    for (unsigned i = 0; i < lab_.gateway->workers(); ++i) lab_.gateway->engine(i).fail_every(0);
    lab_.run([this] { return ended(); }, 300s);
    for (const App* a : apps_) check(*a, kDown);
    for (const App* a : lab_.server_host().accepted()) check(*a, kUp);
  }

 private:
  void start(bool plain) {
    const Plan plan{.send = kUp, .send_key = 1, .expect_key = 2};
    apps_.push_back(plain ? &lab_.client->connect(lab_.listener(), plan)
                          : &lab_.client->connect_mptcp(lab_.listener(), plan));
  }

  // What a client does as soon as it may; further joins are the input's.
  void join_first() {
    const auto* session = dynamic_cast<mptcp::Session*>(apps_[0]->stream());
    if (joined_ || session == nullptr || !session->may_join() || !session->got_data_ack()) return;
    joined_ = lab_.client->join(*apps_[0], 1, lab_.listener()) != nullptr;
  }

  void programs(Input& in) {
    App& a = *apps_[in.below(static_cast<std::uint32_t>(apps_.size()))];
    const auto& servers = lab_.server_host().accepted();
    switch (in.below(6)) {
      case 0:
        return a.abort(lab_.client->context());
      case 1:
        if (!servers.empty()) servers.back()->abort(lab_.server_host().context());
        return;
      case 2:
        if (apps_.size() < 4) start(in.flag());
        return;
      case 3:
        a.plan().stop_reading_at = a.received();
        return;
      case 4:
        a.resume_reading();
        return a.touch(lab_.client->context());
      default:
        if (dynamic_cast<mptcp::Session*>(a.stream()) != nullptr)
          lab_.client->join(a, in.below(2), in.flag() ? lab_.listener() : lab_.second_listener(), in.flag());
    }
  }

  void gateway(Input& in) {
    engine::Engine& e = lab_.gateway->engine(in.below(lab_.gateway->workers()));
    switch (in.below(6)) {
      case 0:
        return fuzz::list_sessions(lab_);
      case 1:
        return e.drain();
      case 2:
        return lab_.gateway->abort_all();
      case 3:
        return e.fail_every(in.below(8));
      case 4:
        shortage_.reset();
        shortage_ = std::make_unique<Shortage>(in.below(200));
        return;
      default:
        return shortage_.reset();
    }
  }

  [[nodiscard]] bool ended() const {
    const auto over = [](const App* a) { return a->released(); };
    const auto& servers = lab_.server_host().accepted();
    return std::all_of(apps_.begin(), apps_.end(), over) && std::all_of(servers.begin(), servers.end(), over);
  }

  void check(const App& a, std::uint64_t whole) const {
    if (forged_) return;
    if (a.wrong_at() != kNoLimit) fuzz::broken("a byte that was not sent there", a.wrong_at());
    if (a.saw_fin() && a.received() != whole) fuzz::broken("a stream ends too early", a.received());
  }

  Lab& lab_;
  std::vector<std::unique_ptr<Tap>> taps_;
  std::vector<App*> apps_;
  std::unique_ptr<Shortage> shortage_;
  bool forged_ = false;
  bool joined_ = false;
};

void one(Input& in) {
  const auto form = in.take<std::uint8_t>();
  LabSpec spec{.seed = 1 + form % 4U, .workers = 1 + (form >> 2) % 2U, .v6 = (form & 8) != 0};
  spec.access = {{.name = "a", .rate = 20e6, .delay = 5ms}, {.name = "b", .rate = 10e6, .delay = 12ms}};
  spec.servers = {{.name = "s", .rate = 50e6, .delay = 1ms}};
  spec.tune = [form](relay::Settings& r, engine::Settings& e) {
    fuzz::set_bounds(r, e);
    r.listeners[0].profile.require_checksum = (form & 16) != 0;
    if ((form & 32) != 0) r.buffer = 20'000;
  };
  Lab l(spec);
  l.server_host().listen(kServerPort, {.send = kDown, .send_key = 2, .expect_key = 1});
  Scene scene(l, (form & 64) != 0);
  for (unsigned step = 0; step < 100 && !in.empty(); ++step) scene.act(in);
  scene.finish();
  fuzz::expect_end(l);
}

}  // namespace
}  // namespace braid::kit

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  braid::fuzz::run_world(braid::kit::one, data, size);
  return 0;
}
