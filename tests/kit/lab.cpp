#include "kit/lab.hpp"

#include <algorithm>
#include <cstdlib>

namespace braid::kit {

namespace {
const Mac kGatewayMac{{2, 0, 0, 0, 0, 1}};

Ip client_address(bool v6, unsigned port) {
  return v6 ? Ip::v6(0x2001'0db8'0001'0000ULL + port, 2) : Ip::v4(0xc6120102U + (port << 8));
}
Ip server_address(bool v6, unsigned i) {
  return v6 ? Ip::v6(0x2001'0db8'0009'0000ULL + i, 2) : Ip::v4(0xc6130002U + (i << 8));
}
Ip gateway_address(bool v6, unsigned i) {
  return v6 ? Ip::v6(0x2001'0db8'0000'0000ULL, 1 + i) : Ip::v4(0xc6120001U + i);
}
// What a translator on an access link shows instead of the client's address.
Ip translated_address(bool v6, unsigned port) {
  Ip ip = client_address(v6, port);
  ip.lo += 1;
  return ip;
}
std::uint8_t net_length(bool v6) { return v6 ? 64 : 24; }
}  // namespace

Lab::Lab(const LabSpec& s)
    : spec(s), world(s.seed), buffers_before_((pool(), buffers_in_use())), watch_(*this) {
  relay::Settings relay;
  relay::Listener l;
  l.name = "web";
  l.binds = {listener(), second_listener()};
  relay.listeners.push_back(std::move(l));
  relay::Upstream u;
  u.name = "servers";
  for (unsigned i = 0; i < spec.servers.size(); ++i) u.servers.push_back(server(i));
  relay.upstreams.push_back(std::move(u));
  relay.buffer = 1 << 20;
  engine::Settings settings;
  settings.connections = 64;
  settings.handshakes = 64;
  if (spec.tune) spec.tune(relay, settings);
  gateway = std::make_unique<Gateway>(world, std::move(relay), settings, spec.workers, routes());

  if (spec.scripted_client) {
    client_script = std::make_unique<Script>(world);
  } else {
    client = std::make_unique<Host>(world, "client");
  }
  const auto device = [](const auto& script, const auto& host) -> Device& {
    if (script) return *script;
    return *host;
  };
  for (unsigned i = 0; i < spec.access.size(); ++i) {
    Link& link = world.link(spec.access[i], device(client_script, client), i, *gateway, i);
    gateway->attach(i, link);
    if (client) client->attach(i, link, client_address(spec.v6, i), spec.access[i].mtu);
    if (client_script) client_script->attach(i, link);
  }
  if (spec.scripted_servers) server_script = std::make_unique<Script>(world);
  for (unsigned i = 0; i < spec.servers.size(); ++i) {
    if (!spec.scripted_servers)
      servers.push_back(std::make_unique<Host>(world, "server" + std::to_string(i)));
    Device& end = spec.scripted_servers ? static_cast<Device&>(*server_script) : *servers[i];
    const unsigned at = spec.scripted_servers ? i : 0;
    Link& link = world.link(spec.servers[i], *gateway, server_port(i), end, at);
    gateway->attach(server_port(i), link);
    if (!spec.scripted_servers) servers[i]->attach(0, link, server_address(spec.v6, i));
    if (server_script) server_script->attach(i, link);
  }
  world.after_act = [this](const Actor& actor) { watch_.stepped(actor); };
  world.on_send = [this](const Device& from, const Packet& packet) { watch_.sent(from, packet); };
}

Lab::~Lab() { close(); }

wire::RouteTable Lab::routes() const {
  wire::RouteTable t;
  const auto add = [&](unsigned port, const Ip& peer) {
    const auto number = static_cast<std::uint8_t>(port);
    const wire::Vlan vlan = port < spec.vlans.size() ? spec.vlans[port] : wire::Vlan{};
    const wire::LinkId id = vlan.any() ? 100U + number : number;
    const bool up = !down_.contains(port);
    t.add_link(id, {.port = number, .up = up, .mtu = 1500, .mac = kGatewayMac, .vlan = vlan});
    Prefix net{peer, net_length(spec.v6)};
    Ip own = peer;
    own.lo -= 1;  // .1 of each network is the gateway's
    t.add_address(id, {own, net.length});
    t.add_route({.prefix = net, .link = id, .gateway = {}, .source = {}, .mtu = 0, .metric = 0});
    t.add_neighbour(id, peer, Mac{{2, 0, 0, 0, 1, number}});
    return id;
  };
  for (unsigned i = 0; i < spec.access.size(); ++i) {
    const wire::LinkId id = add(i, client_address(spec.v6, i));
    t.add_neighbour(id, translated_address(spec.v6, i), Mac{{2, 0, 0, 0, 1, static_cast<std::uint8_t>(i)}});
  }
  for (unsigned i = 0; i < spec.servers.size(); ++i) add(server_port(i), server_address(spec.v6, i));
  t.add_address(0, {gateway_address(spec.v6, 0), net_length(spec.v6)});
  t.add_address(0, {gateway_address(spec.v6, 1), net_length(spec.v6)});
  t.add_address(0, {gateway_address(spec.v6, 2), net_length(spec.v6)});
  t.generation = 1;
  return t;
}

void Lab::set_link(unsigned port, bool up) {
  if (up) {
    down_.erase(port);
    access(port).uncut();
  } else {
    down_.insert(port);
    access(port).cut();
  }
  gateway->set_routes(routes());
}

Ip Lab::own_ip(unsigned port) const {
  Ip own = client_ip(port);
  own.lo -= 1;
  return own;
}

Endpoint Lab::listener() const { return {gateway_address(spec.v6, 0), kListenPort}; }
Endpoint Lab::second_listener() const { return {gateway_address(spec.v6, 1), kListenPort}; }
Ip Lab::client_ip(unsigned port) const { return client_address(spec.v6, port); }
Ip Lab::translated_ip(unsigned port) const { return translated_address(spec.v6, port); }
Endpoint Lab::server(unsigned i) const { return {server_address(spec.v6, i), kServerPort}; }

Remote& Lab::remote(unsigned port, std::uint16_t source_port, std::uint32_t initial) {
  return client_script->remote(port, {client_ip(port), source_port}, listener(), initial);
}

App& Lab::fetch(const Plan& plan, bool joins) {
  App& app = client->connect_mptcp(listener(), plan);
  if (!joins) return app;
  // An actor's job in miniature: looks every 5 ms, and after two seconds seldom, whether the session can be
  // joined.
  const auto look = std::make_shared<std::function<void()>>();
  *look = [this, &app, began = world.now(), weak = std::weak_ptr(look)] {
    if (app.stream() == nullptr || closed_) return;
    auto& session = Host::session_of(app);
    if (session.may_join() && session.got_data_ack()) {
      for (unsigned i = 1; i < spec.access.size(); ++i) client->join(app, i, listener());
      return;
    }
    const Duration pause = world.now() - began < 2s ? Duration(5ms) : Duration(100ms);
    if (const auto self = weak.lock()) world.at(world.elapsed() + pause, [self] { (*self)(); });
  };
  world.at(world.elapsed() + 5ms, [look] { (*look)(); });
  return app;
}

void Lab::close() {
  if (closed_) return;
  closed_ = true;
  watch_.look_closely();
  if (client) client->die();
  for (auto& s : servers) s->die();
  for (const auto& l : world.links()) l->cut();
  gateway->abort_all();
  world.run_for(600s);
  gateway->clean_nic();
  EXPECT_EQ(gateway->in_use(), 0U) << "objects left after all sessions were ended";
  EXPECT_EQ(gateway->overwritten(), 0U) << "frames changed while the NIC still held them";
  if (invariants_hold_) {
    EXPECT_EQ(gateway->counter(stats::Counter::invariant), 0U);
  }
  client.reset();
  servers.clear();
  gateway.reset();
  EXPECT_EQ(buffers_in_use(), buffers_before_) << "packet buffers leaked";
}

Lab& LabTest::make(const LabSpec& spec) {
  finish();
  lab_ = std::make_unique<Lab>(spec);
  return *lab_;
}

void LabTest::finish() {
  if (!lab_) return;
  lab_->close();
  if (HasFailure()) {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    const char* folder = std::getenv("BRAID_TEST_OUTPUT");
    std::string name = std::string(info->test_suite_name()) + "-" + info->name();
    std::replace(name.begin(), name.end(), '/', '-');  // of a test with parameters
    const std::string stem = std::string(folder != nullptr ? folder : "/tmp") + "/braid-" + name + "-" +
                             std::to_string(lab_->spec.seed);
    std::printf("seed %llu; packets:", static_cast<unsigned long long>(lab_->spec.seed));
    for (const auto& file : lab_->world.save_captures(stem)) std::printf(" %s", file.c_str());
    std::printf("\n");
  }
  lab_.reset();
}

void LabTest::TearDown() { finish(); }

}  // namespace braid::kit
