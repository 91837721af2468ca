// The mapping under which a subflow's bytes are read: subflow bytes [first, first + length) carry the data
// bytes from `dsn` on (RFC 8684 3.3.1). One at a time; the next begins where it ends.
#pragma once

#include <cstdint>

#include "base/seq.hpp"

namespace braid::mptcp {

struct Mapping {
  DataSeq dsn;
  SubSeq first;
  std::uint32_t length = 0;  // payload bytes; a DATA_FIN's unit is not among them

  [[nodiscard]] SubSeq end() const { return first + length; }
  [[nodiscard]] bool covers(SubSeq at) const { return at_or_after(at, first) && before(at, end()); }
  [[nodiscard]] DataSeq data_at(SubSeq at) const {
    return dsn + static_cast<std::uint64_t>(static_cast<std::int64_t>(at - first));
  }
  // The same translation, whatever its extent.
  [[nodiscard]] bool agrees_with(const Mapping& other) const { return other.data_at(first) == dsn; }
};

}  // namespace braid::mptcp
