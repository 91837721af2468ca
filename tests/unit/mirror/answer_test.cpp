// Answers of rtnetlink that are cut short, mixed up or interrupted.
#include "mirror/answer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace braid::mirror {
namespace {

class Answers : public ::testing::Test {
 protected:
  // One read's worth of messages.
  class Read {
   public:
    Read& add(std::uint32_t sequence, std::uint16_t type, std::uint16_t flags, int payload = 0) {
      const std::size_t at = words_.size() * sizeof(std::uint64_t);
      words_.resize(words_.size() + 4);
      auto* bytes = reinterpret_cast<std::uint8_t*>(words_.data()) + at;
      nlmsghdr header{};
      header.nlmsg_len = 32;
      header.nlmsg_type = type;
      header.nlmsg_flags = flags;
      header.nlmsg_seq = sequence;
      std::memcpy(bytes, &header, sizeof header);
      std::memcpy(bytes + NLMSG_HDRLEN, &payload, sizeof payload);
      return *this;
    }
    void to(Answer& answer) const {
      answer.take(words_.data(), static_cast<int>(words_.size() * sizeof(std::uint64_t)));
    }

   private:
    std::vector<std::uint64_t> words_;
  };

  unsigned seen_ = 0;
  Netlink::Visit visit_ = [this](const nlmsghdr*) { ++seen_; };
  Answer answer_{7, visit_};
};

TEST_F(Answers, DumpOverTwoReads) {
  Read().add(7, RTM_NEWROUTE, NLM_F_MULTI).add(7, RTM_NEWROUTE, NLM_F_MULTI).to(answer_);
  EXPECT_FALSE(answer_.complete());
  Read().add(7, RTM_NEWROUTE, NLM_F_MULTI).add(7, NLMSG_DONE, NLM_F_MULTI).to(answer_);
  EXPECT_TRUE(answer_.complete());
  EXPECT_EQ(answer_.error(), 0);
  EXPECT_EQ(seen_, 3U);
}

// The tables changed while the kernel went through them: the rest must not stay in the socket.
TEST_F(Answers, InterruptedDumpIsReadToItsEnd) {
  Read().add(7, RTM_NEWROUTE, NLM_F_MULTI).add(7, RTM_NEWROUTE, NLM_F_MULTI | NLM_F_DUMP_INTR).to(answer_);
  EXPECT_FALSE(answer_.complete()) << "what follows would pass for the next answer";
  Read().add(7, RTM_NEWROUTE, NLM_F_MULTI).add(7, NLMSG_DONE, NLM_F_MULTI).to(answer_);
  EXPECT_TRUE(answer_.complete());
  EXPECT_EQ(answer_.error(), EINTR);
  EXPECT_EQ(seen_, 3U);
}

TEST_F(Answers, LeftOversOfAnEarlierRequestAreSkipped) {
  Read().add(6, RTM_NEWROUTE, NLM_F_MULTI).add(6, NLMSG_DONE, NLM_F_MULTI).to(answer_);
  EXPECT_FALSE(answer_.complete());
  Read().add(7, RTM_NEWROUTE, 0).to(answer_);
  EXPECT_TRUE(answer_.complete());
  EXPECT_EQ(seen_, 1U);
}

TEST_F(Answers, RefusalIsAnErrno) {
  Read().add(7, NLMSG_ERROR, 0, -ENODEV).to(answer_);
  EXPECT_TRUE(answer_.complete());
  EXPECT_EQ(answer_.error(), ENODEV);
}

}  // namespace
}  // namespace braid::mirror
