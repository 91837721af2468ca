// The matrix of middleboxes (RFC 8684 3.7 and 6): each kind of box, on the only path, the first of two, the
// second or both, for many seeds. Bytes are right or the connection ends visibly; it never hangs, and never
// delivers something else in silence. A box that changes payload gets what plain TCP would give: where no
// checksum protects it, and else only after a fallback, which is counted.
#include "kit/middlebox.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "kit/lab.hpp"

namespace braid::kit {
namespace {

using box::Box;
using box::Keep;
using box::Way;
using stats::Fallback;

enum class Where : std::uint8_t { alone, first, second, both };  // of two paths, but for `alone`

// Where a box is put.
struct Site {
  Lab& lab;
  Link& link;
  unsigned port;
};

enum class Promise : std::uint8_t { whole, right };  // ends well, or with right bytes and maybe a visible end
enum class Checksum : std::uint8_t { any, on, off };
enum class Change : std::uint8_t { none, bytes, length };  // of the payload

struct Cell {
  const char* name;
  std::function<Box(const Site&)> box;
  Promise promise = Promise::whole;
  std::optional<Fallback> cause{};  // the gateway counts it when the box is on the only path
  Checksum checksum = Checksum::any;
  Change change = Change::none;
  Way changed = Way::both;
  int more = 0;  // bytes by which the length changes
};

// For GoogleTest, which else prints the bytes of the object.
void PrintTo(const Cell& cell, std::ostream* out) { *out << cell.name; }

constexpr std::byte kOld{0x7e};
constexpr std::byte kNew{0x21};
constexpr std::uint32_t kResizeAt = 9000;

std::vector<Cell> handshake_cells() {
  using namespace box;
  return {
      {"StripSyn", [](const Site&) { return strip(syn(Way::up)); }},
      {"StripSynAck", [](const Site&) { return strip(syn(Way::down)); }, Promise::whole, Fallback::third_ack},
      {"StripBothSyns", [](const Site&) { return strip(syn(Way::both)); }},
      {"StripThirdAck", [](const Site&) { return strip(third_ack()); }},
      {"StripCapableAfterTheSyns",
       [](const Site&) {
         return strip(
             [](const auto& f, bool) { return !f.has(wire::kSyn) && f.options.mptcp.has(wire::kMpCapable); });
       },
       Promise::whole, Fallback::third_ack},
      {"StripJoinAck", [](const Site&) { return strip(with(wire::kMpJoinAck, Way::both)); }},
      {"DropSyns", [](const Site&) { return drop(syn(Way::up), 2); }},
      {"DropMptcpSyns",  // all of them: the client asks for plain TCP in the end
       [](const Site&) {
         return drop([](const auto& f, bool) { return f.has(wire::kSyn) && f.options.mptcp.present != 0; },
                     1000);
       }},
      {"DropMptcpSynAcks",
       [](const Site&) {
         return drop(
             [](const auto& f, bool up) { return f.has(wire::kSyn) && !up && f.options.mptcp.present != 0; },
             1000);
       },
       Promise::whole, Fallback::retried_syn},
      {"ReflectSyn", [](const Site&) { return reflect(syn(Way::down)); }, Promise::whole,
       Fallback::third_ack},
      {"ReflectSynAck", [](const Site&) { return reflect(third_ack()); }},
      {"ReflectEverything", [](const Site&) { return reflect(any(Way::both)); }, Promise::right},
      {"SynOfVersionZero", [](const Site&) { return flip(with(wire::kMpCapable, Way::up), 2, 1); }},
      {"SynWithExtensionBit", [](const Site&) { return flip(syn(Way::up), 3, 0x40); }, Promise::whole,
       Fallback::version},
      {"KeyChangedInSynAck", [](const Site&) { return flip(syn(Way::down), 4, 1); }, Promise::whole,
       Fallback::bad_keys},
      {"EchoedKeyChanged", [](const Site&) { return flip(third_ack(), 13, 1); }},
  };
}

std::vector<Cell> strip_cells() {
  using namespace box;
  return {
      {"StripAllButSynsUp", [](const Site&) { return strip(no_syn(Way::up)); }, Promise::whole,
       Fallback::third_ack},
      {"StripAllButSynsDown", [](const Site&) { return strip(no_syn(Way::down)); }},
      {"StripAllButSyns", [](const Site&) { return strip(no_syn(Way::both)); }, Promise::whole,
       Fallback::third_ack},
      {"StripDataUp", [](const Site&) { return strip(with_data(Way::up)); }, Promise::right},
      {"StripDataDown", [](const Site&) { return strip(with_data(Way::down)); }, Promise::right},
      {"StripData", [](const Site&) { return strip(with_data(Way::both)); }, Promise::right},
      {"StripAcksUp", [](const Site&) { return strip(without_data(Way::up)); }, Promise::right},
      {"StripAcksDown", [](const Site&) { return strip(without_data(Way::down)); }, Promise::right},
      {"StripFromByteUp", [](const Site&) { return strip(from_byte(7000, Way::up)); }, Promise::right},
      {"StripFromByteDown", [](const Site&) { return strip(from_byte(7000, Way::down)); }, Promise::right},
      {"StripFromByte", [](const Site&) { return strip(from_byte(7000, Way::both)); }, Promise::right},
      {"StripFromByteZeroUp", [](const Site&) { return strip(from_byte(0, Way::up)); }, Promise::right},
  };
}

std::vector<Cell> packet_cells() {
  using namespace box;
  const auto cut = [](unsigned pieces, Keep keep) {
    return [=](const Site& s) { return split(s.link, pieces, keep); };
  };
  const auto joined = [](Keep keep) {
    return [=](const Site& s) { return merge(s.lab.world, s.link, 1400, keep); };
  };
  return {
      {"SplitInTwo", cut(2, Keep::all)},
      {"SplitInThree", cut(3, Keep::all)},
      {"SplitInEight", cut(8, Keep::all)},
      {"SplitInTwoOptionsOnTheFirst", cut(2, Keep::first)},
      {"SplitInEightOptionsOnTheFirst", cut(8, Keep::first)},
      {"SplitInTwoOptionsOnTheLast", cut(2, Keep::last), Promise::right},
      {"SplitInEightOptionsOnTheLast", cut(8, Keep::last), Promise::right},
      {"MergeOptionsOfTheFirst", joined(Keep::first), Promise::right},
      {"MergeOptionsOfTheLast", joined(Keep::last), Promise::right},
      {"Renumber", [](const Site& s) { return renumber(s.lab.world.seed(), true); }},
      {"RenumberButForgetSack", [](const Site& s) { return renumber(s.lab.world.seed(), false); }},
      {"Translate",
       [](const Site& s) { return translate(s.lab.world, s.lab.translated_ip(s.port), Duration::max()); }},
      {"TranslateAndRebind",
       [](const Site& s) { return translate(s.lab.world, s.lab.translated_ip(s.port), 100ms); },
       Promise::right},
  };
}

std::vector<Cell> byte_cells() {
  using namespace box;
  const auto other_bytes = [](Way way) { return [=](const Site&) { return substitute(way, kOld, kNew); }; };
  const auto other_length = [](Way way, int more) {
    return [=](const Site&) { return resize(way, kResizeAt, more); };
  };
  std::vector<Cell> cells;
  for (const Checksum c : {Checksum::off, Checksum::on}) {
    const bool on = c == Checksum::on;
    const auto cause = on ? std::optional(Fallback::checksum) : std::nullopt;
    cells.push_back({on ? "ChangeBytesUpChecked" : "ChangeBytesUp", other_bytes(Way::up), Promise::right,
                     cause, c, Change::bytes, Way::up});
    cells.push_back({on ? "ChangeBytesDownChecked" : "ChangeBytesDown", other_bytes(Way::down),
                     Promise::right, std::nullopt, c, Change::bytes, Way::down});
    cells.push_back({on ? "ChangeBytesChecked" : "ChangeBytes", other_bytes(Way::both), Promise::right,
                     std::nullopt, c, Change::bytes, Way::both});
    for (const int more : {7, -7}) {
      const bool longer = more > 0;
      cells.push_back(
          {longer ? (on ? "LengthenUpChecked" : "LengthenUp") : (on ? "ShortenUpChecked" : "ShortenUp"),
           other_length(Way::up, more), Promise::right, std::nullopt, c, Change::length, Way::up, more});
      cells.push_back({longer ? (on ? "LengthenDownChecked" : "LengthenDown")
                              : (on ? "ShortenDownChecked" : "ShortenDown"),
                       other_length(Way::down, more), Promise::right, std::nullopt, c, Change::length,
                       Way::down, more});
    }
  }
  return cells;
}

std::vector<Cell> window_cells() {
  using namespace box;
  const auto early = [](Way way) {
    return [=](const Site& s) {
      s.link.set_perfect();  // nobody would send again what is lost, or refused as too old, behind the box
      return acknowledge(s.link, way, 0, 0);
    };
  };
  const auto lost = [](Way way) {
    return [=](const Site& s) { return acknowledge(s.link, way, 5000, 9000); };
  };
  return {
      {"AcknowledgeUp", early(Way::up)},
      {"AcknowledgeDown", early(Way::down)},
      {"Acknowledge", early(Way::both)},
      {"AcknowledgeAndLoseUp", lost(Way::up), Promise::right},
      {"AcknowledgeAndLoseDown", lost(Way::down), Promise::right},
      {"AcknowledgeAndLose", lost(Way::both), Promise::right},
      {"NoScalingInTheSyn", [](const Site&) { return no_scaling(syn(Way::up)); }},
      {"NoScalingInTheSynAck", [](const Site&) { return no_scaling(syn(Way::down)); }},
      {"SmallWindowUp", [](const Site&) { return clamp_window(Way::up, 40); }},
      {"SmallWindowDown", [](const Site&) { return clamp_window(Way::down, 3000); }},
      {"NoHolesUp", [](const Site&) { return no_holes(Way::up, 13); }},
      {"NoHolesDown", [](const Site&) { return no_holes(Way::down, 13); }},
  };
}

const std::vector<Cell>& cells() {
  static const std::vector<Cell> all = [] {
    std::vector<Cell> out;
    for (auto&& some : {handshake_cells(), strip_cells(), packet_cells(), byte_cells(), window_cells()})
      out.insert(out.end(), some.begin(), some.end());
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
      std::replace(out.begin(), out.end(), kOld, kNew);
    };
  return [key, more = cell.more](std::uint64_t offset, ByteSpan out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto at = static_cast<std::int64_t>(offset + i) - kResizeAt;
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
        l.access(i).set_middlebox(cell.box({l, l.access(i), i}));
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
    } else {
      EXPECT_GE(app.wrong_at(), kResizeAt) << "wrong before the box's change";
    }
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
    if (cell.cause && run.where == Where::alone && cell.promise == Promise::whole) {
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
    SCOPED_TRACE(std::string(cell.name) + ", where " + std::to_string(static_cast<int>(where)) + ", seed " +
                 std::to_string(seed));
    check(transfer(cell, where, seed));
    finish();
  }
};

class MiddleboxCell : public Middlebox, public ::testing::WithParamInterface<Cell> {};

// BRAID_SEED=n runs one seed of each cell; otherwise a fiftieth of BRAID_SEEDS (see seeds_test.cpp) for each.
TEST_P(MiddleboxCell, BytesAreRightOrTheEndIsVisible) {
  const char* one_seed = std::getenv("BRAID_SEED");
  const char* wanted = std::getenv("BRAID_SEEDS");
  const std::uint64_t count = (wanted == nullptr ? 300 : std::strtoull(wanted, nullptr, 10)) / 50;
  const std::uint64_t first = one_seed == nullptr ? 1 : std::strtoull(one_seed, nullptr, 10);
  const std::uint64_t last = one_seed == nullptr ? std::max<std::uint64_t>(count, 1) : first;
  for (std::uint64_t seed = first; seed <= last; ++seed)
    for (const Where where : {Where::alone, Where::first, Where::second, Where::both}) {
      one(GetParam(), where, seed);
      if (HasFailure()) return;
    }
}
INSTANTIATE_TEST_SUITE_P(Matrix, MiddleboxCell, ::testing::ValuesIn(cells()),
                         [](const auto& cell) { return std::string(cell.param.name); });

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
