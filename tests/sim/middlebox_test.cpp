// The matrix of middleboxes (RFC 8684 3.7 and 6): each kind of box, on the only path, the first of two, the
// second or both, for many seeds. Bytes are right or the connection ends visibly; it never hangs, and never
// delivers something else in silence. A box that changes payload gets what plain TCP would give: where no
// checksum protects it, and else only after a fallback, which is counted.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "kit/box_list.hpp"
#include "kit/lab.hpp"
#include "kit/seeds.hpp"

namespace braid::kit {
namespace {

using box::Way;
using stats::Fallback;

enum class Where : std::uint8_t { alone, first, second, both };  // of two paths, but for `alone`

enum class Promise : std::uint8_t { whole, right };  // ends well, or with right bytes and maybe a visible end
enum class Checksum : std::uint8_t { any, on, off };
enum class Change : std::uint8_t { none, bytes, length };  // of the payload

struct Cell {
  const char* box;
  Promise promise = Promise::whole;
  std::optional<Fallback> cause{};  // the gateway counts it when the box is on the only path
  Checksum checksum = Checksum::any;
  Change change = Change::none;
  Way changed = Way::both;
  int more = 0;  // bytes by which the length changes
};

// "strip-syn" as StripSyn; StripSynChecked where a checksum is asked for.
std::string name_of(const Cell& cell) {
  std::string out;
  bool capital = true;
  for (const char* c = cell.box; *c != 0; ++c) {
    if (*c != '-') out += static_cast<char>(capital ? *c - 'a' + 'A' : *c);
    capital = *c == '-';
  }
  return cell.checksum == Checksum::on ? out + "Checked" : out;
}

// For GoogleTest, which else prints the bytes of the object.
void PrintTo(const Cell& cell, std::ostream* out) { *out << name_of(cell); }

// What is promised where it is not a whole transfer, or where the cause of the fallback is known.
std::vector<Cell> exceptions() {
  std::vector<Cell> out{
      {"strip-syn-ack", Promise::whole, Fallback::third_ack},
      {"strip-capable-after-the-syns", Promise::whole, Fallback::third_ack},
      {"drop-mptcp-syn-acks", Promise::whole, Fallback::retried_syn},
      {"reflect-syn", Promise::whole, Fallback::third_ack},
      {"syn-with-extension-bit", Promise::whole, Fallback::version},
      {"key-changed-in-syn-ack", Promise::whole, Fallback::bad_keys},
      {"strip-all-but-syns-up", Promise::whole, Fallback::third_ack},
      {"strip-all-but-syns", Promise::whole, Fallback::third_ack},
  };
  for (const char* box :
       {"reflect-everything", "strip-data-up", "strip-data-down", "strip-data", "strip-acks-up",
        "strip-acks-down", "strip-from-byte-up", "strip-from-byte-down", "strip-from-byte",
        "strip-from-byte-zero-up", "split-in-two-options-on-the-last", "split-in-eight-options-on-the-last",
        "merge-options-of-the-first", "merge-options-of-the-last", "translate-and-rebind",
        "acknowledge-and-lose-up", "acknowledge-and-lose-down", "acknowledge-and-lose"})
    out.push_back({box, Promise::right});
  for (const Checksum c : {Checksum::off, Checksum::on}) {
    const auto add = [&](const char* box, Change change, Way way, int more) {
      out.push_back({box, Promise::right, {}, c, change, way, more});
    };
    add("change-bytes-up", Change::bytes, Way::up, 0);
    add("change-bytes-down", Change::bytes, Way::down, 0);
    add("change-bytes", Change::bytes, Way::both, 0);
    add("lengthen-up", Change::length, Way::up, box::kResizeBy);
    add("lengthen-down", Change::length, Way::down, box::kResizeBy);
    add("shorten-up", Change::length, Way::up, -box::kResizeBy);
    add("shorten-down", Change::length, Way::down, -box::kResizeBy);
  }
  return out;
}

// Every box there is.
const std::vector<Cell>& cells() {
  static const std::vector<Cell> all = [] {
    std::vector<Cell> out = exceptions();
    for (const box::Named& b : box::list())
      if (std::none_of(out.begin(), out.end(),
                       [&](const Cell& c) { return c.box == std::string_view(b.name); }))
        out.push_back({b.name});
    return out;
  }();
  return all;
}

// What a stream of `key` has become behind the cell's box on the only path.
std::function<void(std::uint64_t, ByteSpan)> altered(const Cell& cell, std::uint64_t key) {
  if (cell.change == Change::none) return {};
  if (cell.change == Change::bytes)
    return [key](std::uint64_t offset, ByteSpan out) {
      pattern(key, offset, out);
      std::replace(out.begin(), out.end(), box::kOld, box::kNew);
    };
  return [key, more = cell.more](std::uint64_t offset, ByteSpan out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto at = static_cast<std::int64_t>(offset + i) - box::kResizeAt;
      if (at >= 0 && at < more) {
        out[i] = std::byte{'x'};
        continue;
      }
      const auto from = static_cast<std::int64_t>(offset + i) - (at >= 0 ? more : 0);
      pattern(key, static_cast<std::uint64_t>(from), out.subspan(i, 1));
    }
  };
}

class Middlebox : public LabTest {
 protected:
  struct Run {
    const Cell& cell;
    Where where = Where::alone;
    bool checksum = false;
    std::uint64_t up = 0, down = 0;
    App* client = nullptr;
    App* server = nullptr;
  };

  static LinkSpec path(const char* name, Rng& rng) {
    LinkSpec s;
    s.name = name;
    s.rate = 1e6 * (5 + rng.below(60));
    s.delay = std::chrono::microseconds(200 + rng.below(30'000));
    s.queue = 100'000;
    if (rng.below(3) == 0) s.loss = 0.02 * rng.unit();
    if (rng.below(4) == 0) s.duplicate = 0.05 * rng.unit();
    if (rng.below(3) == 0) s.reorder = 0.2 * rng.unit();
    s.displacement = std::chrono::microseconds(100 + rng.below(10'000));
    return s;
  }

  // A transfer through the cell's box, up to both ends of it or the time at which it counts as hanging.
  Run transfer(const Cell& cell, Where where, std::uint64_t seed) {
    Rng rng(seed * 104'729);
    Run run{cell, where};
    run.checksum = cell.checksum == Checksum::on || (cell.checksum == Checksum::any && rng.below(4) == 0);
    LabSpec spec{.seed = seed, .workers = 1 + rng.below(3)};
    spec.access = {path("a", rng), path("b", rng)};
    spec.v6 = rng.below(4) == 0;
    spec.tune = [&run, &rng](relay::Settings& r, engine::Settings& e) {
      r.listeners[0].profile.require_checksum = run.checksum;
      r.listeners[0].profile.hold = 20s;
      r.idle = 60s;
      r.half_closed = 30s;
      e.timeouts.handshake = 100s;
      e.timeouts.user = 60s;
      if (rng.below(3) == 0) r.buffer = 30'000 + rng.below(100'000);
    };
    Lab& l = make(spec);
    for (Host* h : {l.client.get(), l.servers[0].get()})
      h->timeouts = {.handshake = 100s, .user = 60s, .time_wait = 100s, .keepalive = 60s};
    l.client->profile.hold = 20s;
    l.client->budget = 40'000 + rng.below(400'000);
    run.down = 20'000 + rng.below(60'000);
    run.up = 20'000 + rng.below(60'000);
    Plan server{.send = run.down, .send_key = seed, .expect_key = seed + 1};
    server.piece = rng.below(3) == 0 ? static_cast<std::uint16_t>(100 + rng.below(1300)) : std::uint16_t{0};
    if (goes(cell.changed, true)) server.altered = altered(cell, seed + 1);
    const std::uint64_t silent = rng.below(3) == 0 ? 1 : 0;  // the server speaks first
    Plan client{.send = run.up, .send_key = seed + 1, .expect_key = seed, .send_after = silent};
    client.piece = rng.below(3) == 0 ? static_cast<std::uint16_t>(100 + rng.below(1300)) : std::uint16_t{0};
    if (goes(cell.changed, false)) client.altered = altered(cell, seed);
    l.server_host().listen(kServerPort, server);
    for (unsigned i = 0; i < 2; ++i)
      if (i == 0 ? where != Where::second : where == Where::second || where == Where::both)
        l.access(i).set_middlebox(box::find(cell.box)->make({l.world, l.access(i), l.translated_ip(i)}));
    run.client = &l.fetch(client, where != Where::alone);
    const auto done = [&] {
      const auto& at_server = l.server_host().accepted();
      return run.client->released() && (at_server.empty() || at_server[0]->released());
    };
    EXPECT_TRUE(l.run(done, 600s)) << "hangs; " << state(run);
    if (!l.server_host().accepted().empty()) run.server = l.server_host().accepted()[0];
    return run;
  }

  std::string state(const Run& run) {
    const auto& at_server = lab().server_host().accepted();
    const auto one = [](const App& app, std::uint64_t expected) {
      return std::to_string(app.received()) + " of " + std::to_string(expected) + ", wrote " +
             std::to_string(app.written()) + (app.released() ? ", released" : "") + ", failure " +
             std::to_string(static_cast<int>(app.failure()));
    };
    std::string text = "client received " + one(*run.client, run.down) + "; server received " +
                       (at_server.empty() ? "nothing" : one(*at_server[0], run.up));
    for (std::size_t i = 0; i < stats::Table<stats::Drop>::kSize; ++i) {
      const auto id = static_cast<stats::Drop>(i);
      if (lab().gateway->drops(id) != 0)
        text += ", " + std::to_string(lab().gateway->drops(id)) + " " + stats::describe(id).name;
    }
    return text;
  }

  [[nodiscard]] std::uint64_t fallbacks() {
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < stats::Table<Fallback>::kSize; ++i)
      n += lab().gateway->fallbacks(static_cast<Fallback>(i));
    return n;
  }

  // Bytes and end of one side's stream.
  void check_side(const Run& run, const App& app, std::uint64_t expected, bool changed) {
    const bool original = app.wrong_at() == kNoLimit;
    const bool plain = changed && app.unaltered_at() == kNoLimit;
    if (run.checksum || !changed || run.where == Where::alone) {
      EXPECT_TRUE(original || plain) << "neither the original nor what plain TCP gives: wrong at "
                                     << app.wrong_at() << ", unaltered at " << app.unaltered_at();
      if (!original && run.checksum) {
        EXPECT_NE(fallbacks(), 0U) << "changed in silence";
      }
    } else if (run.cell.change == Change::bytes) {
      EXPECT_EQ(app.foreign_at(), kNoLimit);  // each byte as one of the two paths brought it
    }  // a path of another length brings anything: nothing protects it, and copies of early data come late
    if (!app.saw_fin() && !app.ended_cleanly()) return;
    const auto full = static_cast<std::int64_t>(expected) + (plain && !original ? run.cell.more : 0);
    EXPECT_EQ(static_cast<std::int64_t>(app.received()), full) << "ended as if that were all";
  }

  void check(const Run& run) {
    const Cell& cell = run.cell;
    const bool whole = cell.promise == Promise::whole || (run.where == Where::second && !may_differ(run));
    check_side(run, *run.client, run.down, cell.change != Change::none && goes(cell.changed, false));
    if (run.server != nullptr)
      check_side(run, *run.server, run.up, cell.change != Change::none && goes(cell.changed, true));
    if (!run.client->ended_cleanly()) {
      EXPECT_NE(run.client->failure(), tcp::Failure::none) << "ended, but not visibly";
    }
    if (cell.cause && run.where == Where::alone) {
      EXPECT_EQ(lab().gateway->fallbacks(*cell.cause), 1U);
    }
    if (whole) {
      EXPECT_TRUE(run.client->ended_cleanly()) << state(run);
      EXPECT_EQ(run.client->received(), run.down);
      ASSERT_NE(run.server, nullptr);
      EXPECT_EQ(run.server->received(), run.up);
      EXPECT_TRUE(run.server->saw_fin()) << state(run);
    }
    lab().world.run_for(200s);
    constexpr std::uint64_t kStorm = 40'000;  // packets: several times what the worst cell takes
    for (unsigned i = 0; i < 2; ++i)
      EXPECT_LT(lab().access(i).delivered(true) + lab().access(i).delivered(false), kStorm) << state(run);
    EXPECT_EQ(lab().gateway->in_use(), 0U) << "something was left after both ends closed";
  }
  // Nothing protects the bytes on a path that changes them.
  static bool may_differ(const Run& run) { return run.cell.change != Change::none && !run.checksum; }

  void one(const Cell& cell, Where where, std::uint64_t seed) {
    SCOPED_TRACE(name_of(cell) + ", where " + std::to_string(static_cast<int>(where)) + ", seed " +
                 std::to_string(seed));
    check(transfer(cell, where, seed));
    finish();
  }
};

class MiddleboxCell : public Middlebox, public ::testing::WithParamInterface<Cell> {};

// BRAID_SEED=n runs one seed of each cell; otherwise a fiftieth of BRAID_SEEDS (see seeds_test.cpp) for each.
TEST_P(MiddleboxCell, BytesAreRightOrTheEndIsVisible) {
  const char* one_seed = std::getenv("BRAID_SEED");
  const std::uint64_t count = seeds_wanted() / 50;
  const std::uint64_t first = one_seed == nullptr ? 1 : std::strtoull(one_seed, nullptr, 10);
  const std::uint64_t last = one_seed == nullptr ? std::max<std::uint64_t>(count, 1) : first;
  for (std::uint64_t seed = first; seed <= last; ++seed)
    for (const Where where : {Where::alone, Where::first, Where::second, Where::both}) {
      one(GetParam(), where, seed);
      if (HasFailure()) return;
    }
}
INSTANTIATE_TEST_SUITE_P(Matrix, MiddleboxCell, ::testing::ValuesIn(cells()),
                         [](const auto& cell) { return name_of(cell.param); });

// Every way in which a box can take MPTCP from a client has its own counter. The other causes are not a
// box's.
TEST_F(Middlebox, EveryCauseOfFallbackIsCounted) {
  std::set<std::string> missing;
  for (const auto& cause : stats::descriptions(Fallback{})) missing.insert(cause.name);
  for (std::uint64_t seed = 1; seed <= 8; ++seed)
    for (const Cell& cell : cells()) {
      transfer(cell, Where::alone, seed);
      for (std::size_t i = 0; i < stats::Table<Fallback>::kSize; ++i) {
        const auto cause = static_cast<Fallback>(i);
        if (lab().gateway->fallbacks(cause) != 0) missing.erase(stats::describe(cause).name);
      }
      finish();
    }
  EXPECT_EQ(missing, (std::set<std::string>{"no_token", "disabled"}));
}

}  // namespace
}  // namespace braid::kit
