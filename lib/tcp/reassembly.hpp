// Segments that arrived ahead of their turn, ordered by an offset that the owner chooses (bytes from a fixed
// origin of its sequence space). Red-black tree, so hostile orders cost O(log n) (CVE-2018-5390).
// Pieces never overlap: what is already held wins, and is never mixed with what comes later.
#pragma once

#include <cstdint>

#include "base/limits.hpp"
#include "tcp/segment.hpp"

namespace braid::tcp {

// The sequence space a tree is ordered by.
enum class Space : std::uint8_t { subflow, data };

class Reassembly {
 public:
  explicit Reassembly(Space space);
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;
  ~Reassembly() { clear(); }

  // Takes `s` over: keeps what of it is new up to the first byte already held, and frees it when nothing is
  // new. Returns the bytes kept; what follows the overlap is sent again by the peer.
  std::uint32_t insert(Segment& s);
  // The lowest piece, or nullptr.
  [[nodiscard]] Segment* front() const;
  // The piece behind `s`, or nullptr.
  [[nodiscard]] Segment* behind(const Segment& s) const;
  // Takes the lowest piece out; nothing before its end comes afterwards.
  void pop(Segment& s);
  void clear();

  [[nodiscard]] bool empty() const { return pieces_ == 0; }
  [[nodiscard]] std::uint32_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint32_t pieces() const { return pieces_; }
  // No further piece should be taken (limits::kReassemblyPieces, kSmallPieces).
  [[nodiscard]] bool full() const {
    return pieces_ >= limits::kReassemblyPieces ||
           (pieces_ >= limits::kSmallPieces && bytes_ < pieces_ * limits::kSmallPiece);
  }
  // Runs of adjacent pieces for SACK: first the one with the latest arrival (RFC 2018 4), then from the
  // highest downwards. Returns how many were written. Only for Space::subflow. Ends of runs know each other,
  // so that long ones cost no more than short ones.
  unsigned runs(wire::SackBlock* out, unsigned max) const;

 private:
  // Key order is modular; all pieces lie within half the space of each other, so it is total here.
  [[nodiscard]] std::int64_t order(const Segment& a, const Segment& b) const {
    return space_ == Space::data ? a.dsn - b.dsn : a.seq - b.seq;
  }
  [[nodiscard]] SubSeq begin_of_run(const Segment& s) const;
  [[nodiscard]] Segment* first_at_or_after(SubSeq seq) const;
  void join_runs(Segment& s);
  void duplicate_of(const Segment& s);

  Links head_;
  wire::SackBlock recent_{};  // the run of the latest arrival; empty: unknown
  std::uint32_t bytes_ = 0;
  std::uint16_t pieces_ = 0;
  Space space_;
};

}  // namespace braid::tcp
