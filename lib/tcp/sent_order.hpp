// Segments on the way in the order in which they were last sent, oldest first: RACK (RFC 8985 6.2) looks from
// there only as far as it condemns. One that was SACKed or taken for lost does not stand here.
#pragma once

#include "tcp/segment.hpp"

namespace braid::tcp {

class SentOrder {
 public:
  [[nodiscard]] Segment* front() const { return front_; }
  [[nodiscard]] static Segment* next(const Segment& s) { return s.sent_later; }

  // `s` was sent just now.
  void push_back(Segment& s) { insert_after(back_, s); }
  // `s` was sent at s.sent_us. The search begins at `near`, which stands here (nullptr: at the front):
  // putting back segments in their own order takes one walk for all.
  void insert_near(Segment* near, Segment& s) {
    const auto newer = [&s](const Segment& o) {
      return static_cast<std::int32_t>(o.sent_us - s.sent_us) > 0;
    };
    Segment* at = near;
    while (at != nullptr && newer(*at)) at = at->sent_earlier;
    for (Segment* n = at == nullptr ? front_ : at->sent_later; n != nullptr && !newer(*n); n = n->sent_later)
      at = n;
    insert_after(at, s);
  }
  // Behind `at`, which stands here; nullptr: at the front.
  void insert_after(Segment* at, Segment& s) {
    s.sent_earlier = at;
    s.sent_later = at == nullptr ? front_ : at->sent_later;
    (s.sent_later == nullptr ? back_ : s.sent_later->sent_earlier) = &s;
    (at == nullptr ? front_ : at->sent_later) = &s;
  }
  void remove(Segment& s) {
    (s.sent_earlier == nullptr ? front_ : s.sent_earlier->sent_later) = s.sent_later;
    (s.sent_later == nullptr ? back_ : s.sent_later->sent_earlier) = s.sent_earlier;
    s.sent_later = s.sent_earlier = nullptr;
  }

 private:
  Segment* front_ = nullptr;
  Segment* back_ = nullptr;
};

}  // namespace braid::tcp
