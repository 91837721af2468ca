// One host of the library against a scripted peer, over a perfect link.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kit/eal.hpp"
#include "kit/host.hpp"
#include "kit/script.hpp"

namespace braid::kit {

class TcpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pool();
    before_ = buffers_in_use();
    world_ = std::make_unique<World>(1);
    host_ = std::make_unique<Host>(*world_, "host");
    script_ = std::make_unique<Script>(*world_);
    Link& link = world_->link({.name = "wire"}, *host_, 0, *script_, 0);
    host_->attach(0, link, own_.ip);
    script_->attach(0, link);
  }
  void TearDown() override {
    script_.reset();
    host_.reset();
    world_.reset();
    EXPECT_EQ(buffers_in_use(), before_) << "packet buffers leaked";
  }

  // A client's connection to a listening host with this program, after the handshake.
  Remote& served(const Plan& plan, bool sack = true, bool stamps = false, std::uint8_t scale = 7) {
    host_->listen(80, plan);
    Remote& c = client();
    c.handshake(1460, sack, stamps, scale);
    c.skip_empty();  // the window grows by more than the SYN/ACK could say
    return c;
  }
  Remote& client(std::uint16_t port = 30000) { return script_->remote(0, {peer_, port}, own_); }
  App& program(std::size_t i = 0) { return *host_->accepted().at(i); }
  tcp::Connection& connection(const Remote& c) { return *host_->find({c.flow().remote, c.flow().local}); }
  [[nodiscard]] bool exists(const Remote& c) {
    return host_->find({c.flow().remote, c.flow().local}) != nullptr;
  }
  [[nodiscard]] std::uint64_t drops(stats::Drop d) { return host_->stats().drops[d]; }
  [[nodiscard]] std::uint64_t count(stats::Counter k) { return host_->stats().counters[k]; }

  const Endpoint own_{Ip::v4(0xc6120001), 80};
  const Ip peer_ = Ip::v4(0xc6120002);
  std::unique_ptr<World> world_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Script> script_;

 private:
  std::uint32_t before_ = 0;
};

}  // namespace braid::kit
