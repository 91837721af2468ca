// The usual topology: one client with some access links, the gateway, one or more servers.
//
//   client ── access links ── gateway ── one link each ── servers
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "kit/eal.hpp"
#include "kit/gateway.hpp"
#include "kit/host.hpp"
#include "kit/script.hpp"
#include "kit/watch.hpp"

namespace braid::kit {

struct LabSpec {
  std::uint64_t seed = 1;
  unsigned workers = 1;
  std::vector<LinkSpec> access{{.name = "a"}, {.name = "b"}};
  std::vector<LinkSpec> servers{{.name = "s"}};
  std::vector<wire::Vlan> vlans{};  // in which the gateway sees the access links; box::tag() puts them there
  bool v6 = false;
  bool scripted_client = false;
  bool scripted_servers = false;
  std::function<void(relay::Settings&, engine::Settings&)> tune{};
};

inline constexpr std::uint16_t kListenPort = 80;
inline constexpr std::uint16_t kServerPort = 9000;

class Lab {
 public:
  explicit Lab(const LabSpec& spec);
  ~Lab();

  LabSpec spec;
  World world;
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<Host> client;
  std::unique_ptr<Script> client_script;
  std::vector<std::unique_ptr<Host>> servers;
  std::unique_ptr<Script> server_script;

  // Where the listener waits.
  [[nodiscard]] Endpoint listener() const;
  [[nodiscard]] Endpoint second_listener() const;  // another address of the same listener
  [[nodiscard]] Ip client_ip(unsigned port) const;
  [[nodiscard]] Ip translated_ip(unsigned port) const;  // another one of that network, for box::translate()
  [[nodiscard]] Endpoint server(unsigned i = 0) const;
  [[nodiscard]] Link& access(unsigned i) { return *world.links()[i]; }
  [[nodiscard]] Link& server_link(unsigned i = 0) { return *world.links()[spec.access.size() + i]; }
  // The gateway's end of an access link goes down, or comes up again.
  void set_link(unsigned access, bool up);
  // The gateway's own address on an access link.
  [[nodiscard]] Ip own_ip(unsigned access) const;
  [[nodiscard]] unsigned server_port(unsigned i = 0) const {
    return static_cast<unsigned>(spec.access.size()) + i;
  }
  // A scripted client connection on access link `port`.
  Remote& remote(unsigned port, std::uint16_t source_port, std::uint32_t initial = 1000);
  Host& server_host(unsigned i = 0) { return *servers[i]; }

  // A client's MPTCP connection with a join on each further link once the first is established.
  App& fetch(const Plan& plan, bool joins = true);
  [[nodiscard]] std::uint32_t buffers_before() const { return buffers_before_; }
  // Judges the world after every step.
  [[nodiscard]] Watch& watch() { return watch_; }
  bool run(const std::function<bool()>& done, Duration limit = 60s) { return world.run_until(done, limit); }

  // An invariant may break: the test itself has broken one.
  void allow_broken_invariants() { invariants_hold_ = false; }

  // Ends everything and checks that nothing is left: objects, buffers, frames changed in flight.
  void close();

 private:
  wire::RouteTable routes() const;
  std::uint32_t buffers_before_;
  Watch watch_;
  std::set<unsigned> down_;  // access links
  bool closed_ = false;
  bool invariants_hold_ = true;
};

// Every test of this kind ends with the leak check; a failing one prints its seed and saves its packets.
class LabTest : public ::testing::Test {
 protected:
  Lab& make(const LabSpec& spec = {});
  [[nodiscard]] Lab& lab() { return *lab_; }
  void TearDown() override;
  void finish();

 private:
  std::unique_ptr<Lab> lab_;
};

}  // namespace braid::kit
