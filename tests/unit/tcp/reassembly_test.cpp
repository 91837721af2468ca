// Reassembly against a naive model, and the order of its SACK runs.
#include "tcp/reassembly.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <vector>

#include "base/random.hpp"
#include "kit/app.hpp"
#include "kit/eal.hpp"
#include "wire/checksum.hpp"

namespace braid::tcp {
namespace {

class Reassemble : public ::testing::Test {
 protected:
  void SetUp() override {
    kit::pool();
    before_ = kit::buffers_in_use();
  }
  void TearDown() override { EXPECT_EQ(kit::buffers_in_use(), before_); }

  // Bytes [from, from + length) of the pattern `key`, at the place counted from `base_`.
  Segment& make(std::uint32_t from, std::uint16_t length, std::uint64_t key = 1) {
    rte_mbuf* m = rte_pktmbuf_alloc(kit::pool());
    if (m == nullptr) throw std::bad_alloc();
    Segment& s = segment_of(m);
    s = Segment{};
    s.payload_offset = m->data_off;
    s.length = length;
    s.seq = base_ + from;
    s.dsn = DataSeq(0xffff'ffff'ffff'ff00ULL + from);
    kit::pattern(key, from, {payload_of(s), length});
    s.sum = wire::ones_sum({payload_of(s), length});
    return s;
  }

  SubSeq base_{0xffff'ff00U};  // so that the space wraps
  std::uint32_t before_ = 0;
};

TEST_F(Reassemble, AgreesWithANaiveModel) {
  Rng rng(11);
  for (int round = 0; round < 60; ++round) {
    for (const Space space : {Space::subflow, Space::data}) {
      Reassembly r(space);
      std::map<std::uint32_t, std::uint32_t> pieces;  // begin -> end
      std::map<std::uint32_t, std::uint64_t> model;   // byte -> key of the arrival that brought it
      for (int i = 0; i < 80; ++i) {
        const std::uint32_t from = rng.below(3000);
        const auto length = static_cast<std::uint16_t>(1 + rng.below(300));
        const std::uint64_t key = 100 + rng.below(3);
        // What is held wins: the piece below takes off the front, the one above the end.
        const auto above = pieces.upper_bound(from);
        std::uint32_t begin = from;
        std::uint32_t end = from + length;
        if (above != pieces.begin()) begin = std::max(begin, std::prev(above)->second);
        if (above != pieces.end()) end = std::min(end, above->first);
        const std::uint32_t kept = begin < end ? end - begin : 0;
        if (kept != 0) pieces[begin] = end;
        for (std::uint32_t at = begin; at < end; ++at) {
          EXPECT_FALSE(model.contains(at));
          model[at] = key;
        }
        EXPECT_EQ(r.insert(make(from, length, key)), kept);
      }
      EXPECT_EQ(r.bytes(), model.size());
      EXPECT_EQ(r.pieces(), pieces.size());
      std::uint32_t last = 0;
      while (Segment* s = r.front()) {
        const std::uint32_t from =
            space == Space::subflow ? static_cast<std::uint32_t>(s->seq - base_)
                                    : static_cast<std::uint32_t>(s->dsn - DataSeq(0xffff'ffff'ffff'ff00ULL));
        EXPECT_GE(from, last);
        for (std::uint32_t i = 0; i < s->length; ++i) {
          std::byte want;
          ASSERT_TRUE(model.contains(from + i));
          kit::pattern(model[from + i], from + i, {&want, 1});
          ASSERT_EQ(payload_of(*s)[i], want) << "byte " << from + i;
        }
        EXPECT_EQ(s->sum % 0xffff, wire::ones_sum({payload_of(*s), s->length}) % 0xffff);
        last = from + s->length;
        r.pop(*s);
        free_segment(*s);
      }
      EXPECT_TRUE(r.empty());
      EXPECT_EQ(r.bytes(), 0U);
    }
  }
}

TEST_F(Reassemble, RunsBeginWithTheLatestArrival) {
  Reassembly r(Space::subflow);
  r.insert(make(100, 50));
  r.insert(make(300, 50));
  r.insert(make(500, 50));
  r.insert(make(150, 50));  // extends the first run: the latest
  std::array<wire::SackBlock, 4> out;
  ASSERT_EQ(r.runs(out.data(), 4), 3U);
  EXPECT_EQ(out[0].begin, base_ + 100);
  EXPECT_EQ(out[0].end, base_ + 200);
  EXPECT_EQ(out[1].begin, base_ + 500);
  EXPECT_EQ(out[2].begin, base_ + 300);
  EXPECT_EQ(r.runs(out.data(), 2), 2U);
  EXPECT_EQ(r.runs(out.data(), 0), 0U);
}

TEST_F(Reassemble, RunsAgreeWithANaiveModel) {
  Rng rng(12);
  for (int round = 0; round < 100; ++round) {
    Reassembly r(Space::subflow);
    std::map<std::uint32_t, bool> bytes;
    const unsigned arrivals = 1 + rng.below(40);
    std::uint32_t gone = 0;  // what was taken out does not come again
    for (unsigned i = 0; i < arrivals; ++i) {
      const std::uint32_t from = gone + rng.below(40) * 50;
      r.insert(make(from, 50));
      for (std::uint32_t k = 0; k < 50; ++k) bytes[from + k] = true;
      if (rng.below(4) != 0) continue;  // now and then the lowest piece is taken out
      Segment* s = r.front();
      for (std::uint32_t k = 0; k < s->length; ++k)
        bytes.erase(static_cast<std::uint32_t>(s->seq - base_) + k);
      gone = static_cast<std::uint32_t>(s->end() - base_);
      r.pop(*s);
      free_segment(*s);
    }
    std::map<std::uint32_t, std::uint32_t> runs;
    for (const auto& [at, _] : bytes) {
      if (!runs.empty() && runs.rbegin()->second == at) {
        runs.rbegin()->second = at + 1;
      } else {
        runs[at] = at + 1;
      }
    }
    std::array<wire::SackBlock, 32> out;
    const unsigned n = r.runs(out.data(), 32);
    ASSERT_EQ(n, runs.size());
    for (unsigned i = 0; i < n; ++i) {
      const auto from = static_cast<std::uint32_t>(out[i].begin - base_);
      ASSERT_TRUE(runs.contains(from));
      EXPECT_EQ(static_cast<std::uint32_t>(out[i].end - base_), runs[from]);
      if (i >= 2) {
        EXPECT_TRUE(before(out[i].begin, out[i - 1].begin));
      }
    }
  }
}

}  // namespace
}  // namespace braid::tcp
