// libFuzzer target: a whole session. After valid handshakes of an MPTCP client with two subflows the input
// says what the client sends on them, and when, and what the operator and memory do meanwhile. Whatever that
// is, the engine lives, what it sends are the server's bytes at the place their mapping says, every session
// ends by its time-outs, and no object or buffer is left.
#include <map>
#include <memory>
#include <string>

#include "fuzz/world.hpp"
#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

using fuzz::Input;

constexpr std::uint64_t kClientKey = 1;
constexpr std::uint64_t kServerKey = 2;

std::uint64_t near(Input& in, std::uint64_t to) {
  return to + static_cast<std::uint64_t>(std::int64_t{in.take<std::int16_t>()});
}
std::uint32_t near32(Input& in, std::uint32_t to) { return static_cast<std::uint32_t>(near(in, to)); }

Options dss(Input& in, const MpClient& m, const Remote& r) {
  wire::Dss d;
  const auto bits = in.take<std::uint8_t>();
  d.has_ack = (bits & 1) != 0;
  d.ack_is_8 = (bits & 2) != 0;
  d.has_map = (bits & 4) != 0;
  d.dsn_is_8 = (bits & 8) != 0;
  d.data_fin = (bits & 16) != 0;
  d.has_checksum = (bits & 32) != 0;
  if (d.has_map) {
    d.length = static_cast<std::uint16_t>(in.take<std::uint8_t>() << ((bits & 64) != 0 ? 8 : 0));
    d.ssn = (bits & 128) != 0 ? near32(in, r.sent()) : r.sent();
    d.dsn = near(in, idsn_of(m.key()) + 1);
  }
  if (d.has_ack) d.data_ack = near(in, idsn_of(m.key_of_peer) + 1);
  return [d](wire::OptionBuffer& o) { o.dss(d); };
}

Options sack(Input& in, const Remote& r) {
  const std::uint32_t begin = near32(in, r.initial_of_peer() + r.heard());
  const std::array<wire::SackBlock, 2> blocks{
      {{SubSeq(begin), SubSeq(near32(in, begin))}, {SubSeq(near32(in, begin)), SubSeq(near32(in, begin))}}};
  return [blocks](wire::OptionBuffer& o) { o.sack(blocks); };
}

Options address(Input& in, bool echo) {
  wire::AddAddr a;
  a.echo = echo;
  a.id = in.take<std::uint8_t>();
  a.port = in.take<std::uint16_t>();
  a.ip = Ip::v4(in.take<std::uint32_t>());
  a.hmac = in.take<std::uint64_t>();
  return [a](wire::OptionBuffer& o) { o.add_addr(a); };
}

// One option, right but for what the input changes.
Options option(Input& in, const MpClient& m, const Remote& r, unsigned form) {
  const bool bit = (form & 16) != 0;
  switch (form & 15) {
    case 1:
      return sack(in, r);
    case 2:
      return address(in, bit);
    case 3:
      return [ids = std::array{in.take<std::uint8_t>(), in.take<std::uint8_t>()}](wire::OptionBuffer& o) {
        o.remove_addr(ids);
      };
    case 4:
      return [bit](wire::OptionBuffer& o) { o.mp_prio(bit); };
    case 5:
      return [at = near(in, idsn_of(m.key()) + 1)](wire::OptionBuffer& o) { o.mp_fail(at); };
    case 6:
      return [key = bit ? m.key_of_peer : in.take<std::uint64_t>()](wire::OptionBuffer& o) {
        o.mp_fastclose(key);
      };
    case 7:
      return m.capable_ack(in.take<std::uint16_t>());
    case 8:
      return m.join_third();
    case 9:
      return [t = in.take<std::uint32_t>()](wire::OptionBuffer& o) { o.timestamps(t, t); };
    case 10:
      return [reason = in.take<std::uint8_t>(), bit](wire::OptionBuffer& o) {
        o.mp_tcprst({.transient = bit, .reason = reason});
      };
    default:
      return dss(in, m, r);
  }
}

// A few options, as long as the input asks for more.
std::vector<Options> options(Input& in, const MpClient& m, const Remote& r) {
  std::vector<Options> out;
  unsigned form = 0;
  do {
    form = in.take<std::uint8_t>();
    out.push_back(option(in, m, r, form));
  } while ((form & 32) != 0 && !in.empty());
  return out;
}

class Client {
 public:
  Client(Lab& lab, bool checksum) : lab_(lab), mp_(lab) {
    legs_.push_back(&mp_.connect(checksum));
    legs_.push_back(&mp_.join(1));
  }

  void act(Input& in) {
    const auto what = in.take<std::uint8_t>();
    Remote& r = *legs_[what % 2 == 0 ? 0 : legs_.size() - 1];
    switch (what >> 1 & 7) {
      case 0:
        return lab_.world.run_for(std::chrono::microseconds(1ULL << (in.take<std::uint8_t>() % 26U)));
      case 1:
        return disturb(in);
      case 2:
        send(in, r, what);
        break;
      case 3:
        r.say({.options = mp_.ack(taken_)});
        break;
      default:
        forged_ |= (what & 0xb0) != 0;
        say(in, r, what);
    }
    hear();
  }

  // What the server's program has seen, unless something was forged.
  void check(const App& a) const {
    if (forged_) return;
    if (a.wrong_at() != kNoLimit) fuzz::broken("a byte that was not sent there", a.wrong_at());
    if (a.saw_fin() && a.received() != fin_at_) fuzz::broken("a stream ends at another place", a.received());
  }

 private:
  // By the rules, so that more of the engine is reached: new bytes, some again, some after a gap, or what
  // fills it.
  void send(Input& in, Remote& r, unsigned what) {
    const std::uint64_t step = in.take<std::uint8_t>() * 4U;
    const std::uint64_t from = (what & 64) != 0 ? whole_ : sent_;
    const std::uint64_t at = (what & 32) != 0 ? from + step : from - std::min(from, step);
    std::string text(1 + in.take<std::uint8_t>() * 5U, '\0');
    if (at + text.size() > fin_at_) return;
    pattern(kClientKey, at, std::as_writable_bytes(std::span(text)));
    sent_ = std::max(sent_, at + text.size());
    pieces_.emplace(at, at + text.size());
    for (const auto& [begin, end] : pieces_)
      if (begin <= whole_) whole_ = std::max(whole_, end);
    const bool fin = (what & 16) != 0 && fin_at_ == kNoLimit && at + text.size() == sent_;
    if (fin) fin_at_ = sent_;
    mp_.data(r, at, text, taken_, fin);
  }

  void say(Input& in, Remote& r, unsigned what) {
    Say s;
    if ((what & 16) != 0)
      s.options = [all = options(in, mp_, r)](wire::OptionBuffer& o) {
        for (const auto& one : all) one(o);
      };
    if ((what & 32) != 0) s.data.assign(in.take<std::uint8_t>() * 5U, 'x');
    if ((what & 64) != 0) {
      s.window = in.take<std::uint16_t>();
      s.ack = near32(in, r.heard());
    }
    if ((what & 128) != 0) {
      s.flags = in.take<std::uint8_t>();
      s.seq = near32(in, r.sent());
    }
    r.say(s);
  }

  void disturb(Input& in) {
    switch (in.below(8)) {
      case 0:
        return fuzz::list_sessions(lab_);
      case 1:
        return lab_.gateway->engine().drain();
      case 2:
        return lab_.gateway->abort_all();
      case 3:
        return lab_.gateway->engine().fail_every(in.below(4));
      case 4:
        shortage_.reset();
        shortage_ = std::make_unique<Shortage>(in.below(64));
        return;
      case 5:
        return shortage_.reset();
      case 6:
        return lab_.server_host().die();
      default:  // one more join, right up to its SYN; what follows is the input's
        if (legs_.size() > 8) return;
        legs_.push_back(&lab_.client_script->remote(
            in.below(2), {lab_.client_ip(0), static_cast<std::uint16_t>(31000 + legs_.size())},
            in.flag() ? lab_.listener() : lab_.second_listener(), 90000));
        legs_.back()->say({.flags = S, .options = mp_.join_syn(in.take<std::uint8_t>(), in.flag())});
    }
  }

  // Checks what has come. A mapping without length is the infinite one (RFC 8684 3.7).
  void hear() {
    for (Remote* r : legs_)
      while (const auto h = r->next(0ms)) {
        const auto& d = h->mp().dss;
        const std::int64_t at = mp_.mapped_in(*h);
        if (at < 0 || d.length == 0 || h->data.empty()) continue;
        const std::uint32_t skip = h->seq - d.ssn;
        if (skip + h->data.size() > d.length) fuzz::broken("a segment leaves its mapping", skip);
        std::string want(h->data.size(), '\0');
        pattern(kServerKey, static_cast<std::uint64_t>(at) + skip, std::as_writable_bytes(std::span(want)));
        if (want != h->data)
          fuzz::broken("other bytes than the mapping names", static_cast<std::uint64_t>(at));
        taken_ = std::max(taken_, static_cast<std::uint64_t>(at) + skip + h->data.size());
      }
  }

  Lab& lab_;
  MpClient mp_;
  std::vector<Remote*> legs_;
  std::uint64_t sent_ = 0;   // data offset after what was sent by the rules
  std::uint64_t whole_ = 0;  // ... after the last byte before the first gap
  std::uint64_t fin_at_ = kNoLimit;
  std::multimap<std::uint64_t, std::uint64_t> pieces_;  // sent by the rules: begin, end
  std::uint64_t taken_ = 0;                             // data offset after the last byte heard
  bool forged_ = false;
  std::unique_ptr<Shortage> shortage_;
};

void one(Input& in) {
  const auto form = in.take<std::uint8_t>();
  LabSpec spec{.seed = 1 + form % 8U, .v6 = (form & 8) != 0, .scripted_client = true};
  spec.tune = [form](relay::Settings& r, engine::Settings& e) {
    fuzz::set_bounds(r, e);
    r.listeners[0].profile.require_checksum = (form & 16) != 0;
    if ((form & 32) != 0) r.buffer = 20'000;
  };
  Lab l(spec);
  l.server_host().listen(
      kServerPort,
      {.send = 20'000, .send_key = kServerKey, .expect_key = kClientKey, .finish = (form & 64) != 0});
  {
    Client client(l, (form & 16) != 0);
    for (unsigned step = 0; step < 100 && !in.empty(); ++step) client.act(in);
    l.world.run_for(1s);
    for (const App* a : l.server_host().accepted()) client.check(*a);
  }
  l.gateway->engine().fail_every(0);
  fuzz::expect_end(l);
}

}  // namespace
}  // namespace braid::kit

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  braid::fuzz::run_world(braid::kit::one, data, size);
  return 0;
}
