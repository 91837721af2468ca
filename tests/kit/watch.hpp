// Takes pictures of everything in a Lab after each step, and has the laws judge them.
#pragma once

#include <unordered_map>
#include <vector>

#include "kit/laws.hpp"
#include "kit/world.hpp"
#include "mptcp/subflow.hpp"
#include "relay/pair.hpp"
#include "tcp/plain_stream.hpp"

namespace braid::kit {

class Lab;
class App;
class Host;

class Watch {
 public:
  // `lab` outlives it. Breaches fail the running test, with seed, virtual time and the law's name.
  explicit Watch(Lab& lab);

  // After a step of `actor`.
  void stepped(const Actor& actor);
  void sent(const Device& from, const Packet& packet);
  // Whatever is too expensive for every step.
  void look_closely();

 private:
  // Where the data of a session begin; hashes, and so computed once.
  struct Origin {
    std::uint64_t key = 0;
    bool knows_peer = false;
    DataSeq ours, theirs;
  };
  void breach(const char* law, const std::string& what);
  void look_at_gateway();
  void look_at(const Host& host);
  void look_at(const relay::Pair& pair);
  void look_at(const tcp::Connection& c);
  void look_at(const mptcp::Session& s);
  void look_at_program(App& app);
  void look_at_both_ends(const Host& host);
  void look_at_queues(const tcp::Connection& c);
  void look_at_queues(mptcp::Session& s);
  void look_at_buffers();
  const Origin& origin_of(const mptcp::Session& s);
  [[nodiscard]] std::uint64_t received(tcp::Stream& s);
  [[nodiscard]] std::uint64_t written(tcp::Stream& s);
  void note(const tcp::Segment* s);
  void note_buffer(const rte_mbuf* m);

  Lab& lab_;
  Laws laws_;
  std::unordered_map<const mptcp::Session*, Origin> origins_;
  std::vector<const rte_mbuf*> buffers_;  // found by the last close look
  unsigned steps_to_go_ = 0;
  unsigned breaches_ = 0;
};

}  // namespace braid::kit
