#include "tcp/segment.hpp"

#include <cstring>

#include "wire/checksum.hpp"

namespace braid::tcp {

namespace {
// Sum of the part that begins `offset` bytes into `s`, given the sum of the part before it.
std::uint16_t rest_of_sum(const Segment& s, std::uint16_t before_sum, std::uint16_t offset) {
  const std::uint16_t rest = wire::sum_sub(s.sum, before_sum);
  return (offset & 1U) != 0 ? wire::sum_swap(rest) : rest;
}
}  // namespace

void trim_front(Segment& s, std::uint16_t n) {
  if (n == 0) return;
  const auto cut = wire::ones_sum({payload_of(s), n});
  s.sum = rest_of_sum(s, cut, n);
  s.payload_offset = static_cast<std::uint16_t>(s.payload_offset + n);
  s.length = static_cast<std::uint16_t>(s.length - n);
  s.seq += n;
  s.dsn += n;
}

void trim_back(Segment& s, std::uint16_t n) {
  if (n == s.length) return;
  s.sum = wire::ones_sum({payload_of(s), n});
  s.length = n;
}

Segment* clone_segment(rte_mempool* pool, Segment& s) {
  rte_mbuf* copy = rte_pktmbuf_alloc(pool);
  if (copy == nullptr) return nullptr;
  rte_pktmbuf_attach(copy, mbuf_of(s));
  Segment& c = segment_of(copy);
  c = s;
  c.next = nullptr;
  c.sent_next = nullptr;
  c.sent_later = c.sent_earlier = nullptr;
  c.flags = 0;
  c.transmissions = 0;
  return &c;
}

Segment* split_segment(rte_mempool* pool, Segment& s, std::uint16_t n) {
  Segment* rest = clone_segment(pool, s);
  if (rest == nullptr) return nullptr;
  const auto first = wire::ones_sum({payload_of(s), n});
  rest->sum = rest_of_sum(s, first, n);
  rest->payload_offset = static_cast<std::uint16_t>(s.payload_offset + n);
  rest->length = static_cast<std::uint16_t>(s.length - n);
  rest->seq = s.seq + n;
  rest->dsn = s.dsn + n;
  s.sum = first;
  s.length = n;
  return rest;
}

bool append_small(Segment& into, Segment& s, std::uint32_t most) {
  if (s.length > limits::kSmallSegment || into.length + s.length > most) return false;
  rte_mbuf* m = mbuf_of(into);
  const std::size_t end = static_cast<std::size_t>(into.payload_offset) + into.length;
  if (!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1 || end + s.length > m->buf_len) return false;
  std::memcpy(payload_of(into) + into.length, payload_of(s), s.length);
  into.sum = wire::sum_add(into.sum, (into.length & 1U) != 0 ? wire::sum_swap(s.sum) : s.sum);
  into.length = static_cast<std::uint16_t>(into.length + s.length);
  free_segment(s);
  return true;
}

}  // namespace braid::tcp
