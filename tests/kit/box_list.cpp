#include "kit/box_list.hpp"

#include <algorithm>

namespace braid::kit::box {

namespace {

// A box that needs to know nothing of its place.
template <typename Make>
std::function<Box(const Site&)> of(Make make) {
  return [make](const Site&) { return make(); };
}

std::vector<Named> handshake() {
  const auto mptcp_syn = [](bool answer) {
    return [answer](const wire::TcpFrame& f, bool up) {
      return f.has(wire::kSyn) && up != answer && f.options.mptcp.present != 0;
    };
  };
  const auto late_capable = [](const wire::TcpFrame& f, bool) {
    return !f.has(wire::kSyn) && f.options.mptcp.has(wire::kMpCapable);
  };
  constexpr unsigned kAlways = 1000;
  return {
      {"strip-syn", of([] { return strip(syn(Way::up)); })},
      {"strip-syn-ack", of([] { return strip(syn(Way::down)); })},
      {"strip-both-syns", of([] { return strip(syn(Way::both)); })},
      {"strip-third-ack", of([] { return strip(third_ack()); })},
      {"strip-capable-after-the-syns", of([=] { return strip(late_capable); })},
      {"strip-join-ack", of([] { return strip(with(wire::kMpJoinAck, Way::both)); })},
      {"drop-syns", of([] { return drop(syn(Way::up), 2); })},
      // The client asks for plain TCP in the end.
      {"drop-mptcp-syns", of([=] { return drop(mptcp_syn(false), kAlways); })},
      {"drop-mptcp-syn-acks", of([=] { return drop(mptcp_syn(true), kAlways); })},
      {"reflect-syn", of([] { return reflect(syn(Way::down)); })},
      {"reflect-syn-ack", of([] { return reflect(third_ack()); })},
      {"reflect-everything", of([] { return reflect(any(Way::both)); })},
      {"syn-of-version-zero", of([] { return flip(with(wire::kMpCapable, Way::up), 2, 1); })},
      {"syn-with-extension-bit", of([] { return flip(syn(Way::up), 3, 0x40); })},
      {"key-changed-in-syn-ack", of([] { return flip(syn(Way::down), 4, 1); })},
      {"echoed-key-changed", of([] { return flip(third_ack(), 13, 1); })},
  };
}

std::vector<Named> stripping() {
  constexpr std::uint32_t kFrom = 7000;
  return {
      {"strip-all-but-syns-up", of([] { return strip(no_syn(Way::up)); })},
      {"strip-all-but-syns-down", of([] { return strip(no_syn(Way::down)); })},
      {"strip-all-but-syns", of([] { return strip(no_syn(Way::both)); })},
      {"strip-data-up", of([] { return strip(with_data(Way::up)); })},
      {"strip-data-down", of([] { return strip(with_data(Way::down)); })},
      {"strip-data", of([] { return strip(with_data(Way::both)); })},
      {"strip-acks-up", of([] { return strip(without_data(Way::up)); })},
      {"strip-acks-down", of([] { return strip(without_data(Way::down)); })},
      {"strip-from-byte-up", of([] { return strip(from_byte(kFrom, Way::up)); })},
      {"strip-from-byte-down", of([] { return strip(from_byte(kFrom, Way::down)); })},
      {"strip-from-byte", of([] { return strip(from_byte(kFrom, Way::both)); })},
      {"strip-from-byte-zero-up", of([] { return strip(from_byte(0, Way::up)); })},
  };
}

std::vector<Named> packets() {
  const auto cut = [](unsigned pieces, Keep keep) {
    return [=](const Site& s) { return split(s.link, pieces, keep); };
  };
  const auto joined = [](Keep keep) {
    return [=](const Site& s) { return merge(s.world, s.link, 1400, keep); };
  };
  return {
      {"split-in-two", cut(2, Keep::all)},
      {"split-in-three", cut(3, Keep::all)},
      {"split-in-eight", cut(8, Keep::all)},
      {"split-in-two-options-on-the-first", cut(2, Keep::first)},
      {"split-in-eight-options-on-the-first", cut(8, Keep::first)},
      {"split-in-two-options-on-the-last", cut(2, Keep::last)},
      {"split-in-eight-options-on-the-last", cut(8, Keep::last)},
      {"merge-options-of-the-first", joined(Keep::first)},
      {"merge-options-of-the-last", joined(Keep::last)},
      {"renumber", [](const Site& s) { return renumber(s.world.seed(), true); }},
      {"renumber-but-forget-sack", [](const Site& s) { return renumber(s.world.seed(), false); }},
      {"translate", [](const Site& s) { return translate(s.world, s.outside, Duration::max()); }},
      {"translate-and-rebind", [](const Site& s) { return translate(s.world, s.outside, 100ms); }},
  };
}

std::vector<Named> payload() {
  return {
      {"change-bytes-up", of([] { return substitute(Way::up, kOld, kNew); })},
      {"change-bytes-down", of([] { return substitute(Way::down, kOld, kNew); })},
      {"change-bytes", of([] { return substitute(Way::both, kOld, kNew); })},
      {"lengthen-up", of([] { return resize(Way::up, kResizeAt, kResizeBy); })},
      {"lengthen-down", of([] { return resize(Way::down, kResizeAt, kResizeBy); })},
      {"shorten-up", of([] { return resize(Way::up, kResizeAt, -kResizeBy); })},
      {"shorten-down", of([] { return resize(Way::down, kResizeAt, -kResizeBy); })},
  };
}

std::vector<Named> windows() {
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
      {"acknowledge-up", early(Way::up)},
      {"acknowledge-down", early(Way::down)},
      {"acknowledge", early(Way::both)},
      {"acknowledge-and-lose-up", lost(Way::up)},
      {"acknowledge-and-lose-down", lost(Way::down)},
      {"acknowledge-and-lose", lost(Way::both)},
      {"no-scaling-in-the-syn", of([] { return no_scaling(syn(Way::up)); })},
      {"no-scaling-in-the-syn-ack", of([] { return no_scaling(syn(Way::down)); })},
      {"small-window-up", of([] { return clamp_window(Way::up, 40); })},
      {"small-window-down", of([] { return clamp_window(Way::down, 3000); })},
      {"no-holes-up", of([] { return no_holes(Way::up, 13); })},
      {"no-holes-down", of([] { return no_holes(Way::down, 13); })},
  };
}

}  // namespace

const std::vector<Named>& list() {
  static const std::vector<Named> all = [] {
    std::vector<Named> out;
    for (auto&& some : {handshake(), stripping(), packets(), payload(), windows()})
      out.insert(out.end(), some.begin(), some.end());
    return out;
  }();
  return all;
}

const Named* find(std::string_view name) {
  const auto found =
      std::find_if(list().begin(), list().end(), [&](const Named& b) { return b.name == name; });
  return found == list().end() ? nullptr : &*found;
}

}  // namespace braid::kit::box
