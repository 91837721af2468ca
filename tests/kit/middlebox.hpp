// Middleboxes: what boxes on real paths do to TCP and to its options (RFC 8684 3.7 and 6; Honda et al., "Is
// it still possible to extend TCP?", IMC 2011). Each factory makes one box with a memory of its own, to be
// put on an access link: `up` is from the client to the gateway.
#pragma once

#include <cstdint>
#include <functional>

#include "kit/link.hpp"

namespace braid::kit::box {

using Box = Link::Middlebox;
// Which packets a box acts on.
using When = std::function<bool(const wire::TcpFrame& f, bool up)>;

enum class Way : std::uint8_t { up, down, both };

// Whether `up` is one of the directions of `way`.
constexpr bool goes(Way way, bool up) { return way == Way::both || (way == Way::up) == up; }

// ---- When ----
When any(Way way);
When syn(Way way);     // up: SYN; down: SYN/ACK
When no_syn(Way way);  // all others
When with_data(Way way);
When without_data(Way way);  // and without SYN
When third_ack();            // each flow's first packet from the client after its SYN
When with(wire::MpPresent form, Way way);
// Packets in the direction `way` of a flow, from the one on that brings byte `n` of that direction (or of
// either).
When from_byte(std::uint32_t n, Way way);

// One box behind another.
Box chain(Box first, Box second);

// ---- Options ----
Box strip(When when);
// Drops the first `times` of them.
Box drop(When when, unsigned times);
// XORs byte `at` of the first MPTCP option (0: its kind).
Box flip(When when, std::size_t at, std::uint8_t bits);
// The MPTCP options are those that came last in the other direction.
Box reflect(When when);
// Window scaling (RFC 7323 2) is taken out of what `when` says.
Box no_scaling(When when);

// ---- Packets ----
enum class Keep : std::uint8_t { all, first, last };  // whose options
// Segments with data go on in `pieces`: options on all of them, the first or the last.
Box split(Link& link, unsigned pieces, Keep options);
// Segments that follow each other closely go on as one of up to `most` bytes, with the options of the first
// or the last.
Box merge(World& world, Link& link, std::size_t most, Keep options);
// Initial sequence numbers are others to each side. `sack`: of SACK blocks too, which some boxes forget.
Box renumber(std::uint64_t seed, bool sack);
// The client's address and port are others to the gateway; a port changes once more `rebind` after its first
// packet (Duration::max(): it does not).
Box translate(World& world, const Ip& outside, Duration rebind);
// A switch: the gateway's side has `tags`, the client's none. What comes down with others goes no further.
Box tag(const wire::Vlan& tags);

// ---- Bytes ----
// Each byte `from` of the payload becomes `to`.
Box substitute(Way way, std::byte from, std::byte to);
// At byte `at` of each flow's direction, `more` bytes 'x' are put in (less than 0: so many taken out), and
// numbers behind are moved, as an application gateway does.
Box resize(Way way, std::uint32_t at, int more);

// ---- Acknowledgements and windows ----
// Data in the direction `way` is acknowledged by the box itself, as soon as it comes in order; of what it has
// acknowledged it loses the bytes [from, to) for ever.
Box acknowledge(Link& link, Way way, std::uint32_t from, std::uint32_t to);
// The window field never says more than `most`.
Box clamp_window(Way way, std::uint16_t most);
// Every `period`th segment with data is lost, and what would leave a hole behind it is not let through.
Box no_holes(Way way, unsigned period);

}  // namespace braid::kit::box
