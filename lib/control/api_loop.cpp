// The protocol. A request is one line, a JSON object: {"v":1,"cmd":"info"}. Commands: info, stats, drops,
// sessions. Each answer line is an object with "v" and either "error": {"code","text"} or "cmd", the result
// under the command's name, and "last". A listing of sessions takes several lines, "last" is true in the
// final one. Requests of one client are answered in order.
#include "control/api_loop.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "control/api_json.hpp"

namespace braid::control {

using nlohmann::json;

ApiServer::Loop::Loop(const Sources& sources, SessionSource& sessions, Times times, int listener)
    : sources_(sources),
      times_(times),
      mailboxes_(sessions, kPage),
      listener_(listener),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      started_(std::chrono::steady_clock::now()) {}

ApiServer::Loop::~Loop() { close_all(); }

void ApiServer::Loop::close_all() {
  for (const Client& c : clients_) close(c.fd);
  clients_.clear();
  if (listener_ >= 0) close(std::exchange(listener_, -1));
  if (wake_ >= 0) close(std::exchange(wake_, -1));
}

void ApiServer::Loop::ask_to_stop() {
  stop_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void ApiServer::Loop::run() {
  while (!stop_.load(std::memory_order_acquire)) {
    if (poll_once() < 0 && errno != EINTR) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto now = std::chrono::steady_clock::now();
    for (Client& c : clients_) {
      serve(c);
      list(c, now);
      write(c, now);
      expire(c, now);
      if (!c.dead) continue;
      if (c.listing) mailboxes_.abandon(*c.listing);
      close(c.fd);
    }
    std::erase_if(clients_, [](const Client& c) { return c.dead; });
  }
}

// Waits for something to do, then takes new clients and reads what has arrived.
int ApiServer::Loop::poll_once() {
  std::vector<pollfd> fds{{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
  constexpr int kWorkerPollMs = 1;      // a worker answers by a flag, not by a descriptor
  constexpr int kHousekeepingMs = 500;  // expiry of silent clients
  int timeout = kHousekeepingMs;
  for (const Client& c : clients_) {
    const bool room = !c.closing && c.out.size() - c.out_at < kMaxQueued;
    const bool reads = room && !c.eof && !c.listing;
    const bool writes = c.out_at < c.out.size();
    fds.push_back({c.fd, static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0});
    if (!room) continue;
    if (c.listing && c.listing->waiting) timeout = std::min(timeout, kWorkerPollMs);
    const bool more = c.listing ? !c.listing->waiting : c.eof || c.in.find('\n') != std::string::npos;
    if (more) timeout = 0;
  }
  const int ready = poll(fds.data(), fds.size(), timeout);
  if (ready <= 0) return ready;
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const auto events = static_cast<unsigned>(fds[i + 2].revents);
    if ((events & static_cast<unsigned>(POLLIN)) != 0) receive(clients_[i], now);
    // Both directions are closed: nobody is there to read an answer.
    else if ((events & static_cast<unsigned>(POLLHUP | POLLERR | POLLNVAL)) != 0)
      clients_[i].dead = true;
  }
  if (fds[0].revents != 0) accept_client(now);
  return ready;
}

void ApiServer::Loop::accept_client(SteadyTime now) {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    // Out of descriptors: the waiting client would make poll() return at once for ever.
    if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return;
  }
  Client client;
  client.fd = fd;
  client.active = now;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (!known || (peer.uid != geteuid() && peer.uid != 0)) {
    fail(client, "forbidden", "only root and the user Braid runs as may ask");
    client.closing = true;
  } else if (clients_.size() >= kMaxClients) {
    fail(client, "busy", "there are already " + std::to_string(kMaxClients) + " clients; try again later");
    client.closing = true;
  }
  if (clients_.size() < 2 * kMaxClients) {
    clients_.push_back(std::move(client));
  } else {
    close(fd);  // not even the refusals are taken
  }
}

void ApiServer::Loop::receive(Client& c, SteadyTime now) {
  char buffer[16384];
  const auto n = recv(c.fd, buffer, sizeof buffer, 0);
  if (n < 0) {
    c.dead = errno != EAGAIN && errno != EINTR;
    return;
  }
  if (n == 0) {
    c.eof = true;
    return;
  }
  c.active = now;
  c.in.append(buffer, static_cast<std::size_t>(n));
  keep_line_bound(c);
}

// Throws an overlong line away up to its end; the requests after it are served.
void ApiServer::Loop::keep_line_bound(Client& c) {
  auto end = c.in.find('\n');
  if (c.skipping) {
    c.skipped += std::min(end, c.in.size());
    c.in.erase(0, end == std::string::npos ? end : end + 1);
    c.skipping = end == std::string::npos;
    c.closing |= c.skipped > kMaxSkipped;
    return;
  }
  if (end != std::string::npos || c.in.size() <= kMaxLine) return;
  fail(c, "line_too_long", "a request has at most " + std::to_string(kMaxLine) + " bytes");
  c.skipping = true;
  c.skipped = c.in.size();
  c.in.clear();
}

void ApiServer::Loop::serve(Client& c) {
  std::size_t begin = 0;
  while (!c.closing && !c.listing && c.out.size() - c.out_at < kMaxQueued) {
    const auto end = c.in.find('\n', begin);
    if (end == std::string::npos) break;
    request(c, std::string_view(c.in).substr(begin, end - begin));
    begin = end + 1;
  }
  c.in.erase(0, begin);
  if (c.eof && !c.listing && c.in.find('\n') == std::string::npos) c.closing = true;
}

void ApiServer::Loop::request(Client& c, std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
  if (line.size() > kMaxLine)
    return fail(c, "line_too_long", "a request has at most " + std::to_string(kMaxLine) + " bytes");
  const auto value = json::parse(line, nullptr, false);
  if (value.is_discarded() || !value.is_object())
    return fail(c, "bad_request", R"(not a JSON object; must be e.g. {"v":1,"cmd":"info"})");
  const auto version = value.find("v");
  if (version == value.end() || *version != kApiVersion)
    return fail(c, "bad_version", R"("v" must be )" + std::to_string(kApiVersion));
  const auto name = value.find("cmd");
  if (name == value.end() || !name->is_string())
    return fail(c, "bad_request", R"("cmd" must name a command: info, sessions, stats or drops)");
  command(c, name->get<std::string>());
}

void ApiServer::Loop::command(Client& c, const std::string& name) {
  json out{{"v", kApiVersion}, {"cmd", name}, {"last", true}};
  if (name == "info") {
    const auto uptime = std::chrono::steady_clock::now() - started_;
    out[name] = info_json(sources_, std::chrono::duration_cast<std::chrono::seconds>(uptime));
  } else if (name == "stats") {
    out[name] = stats_json(sources_);
  } else if (name == "drops") {
    out[name] = drops_json(sources_);
  } else if (name == "sessions") {
    c.listing = Listing{};
    c.listing->id = ++listings_;
    return;
  } else {
    return fail(c, "unknown_command", "\"" + name.substr(0, 40) + "\"; known: info, sessions, stats, drops");
  }
  answer(c, out);
}

void ApiServer::Loop::list(Client& c, SteadyTime now) {
  while (c.listing && !c.dead && c.out.size() - c.out_at < kMaxQueued) {
    const auto step = mailboxes_.advance(*c.listing, now, times_.worker);
    if (step == Mailboxes::Step::wait) return;
    json out{{"v", kApiVersion}, {"cmd", "sessions"}, {"last", false}};
    out["sessions"] = json::array();
    if (step == Mailboxes::Step::page) {
      for (const auto& s : mailboxes_.page()) out["sessions"].push_back(session_json(s, sources_.config));
      if (!out["sessions"].empty()) answer(c, out);
      continue;
    }
    const auto worker = std::to_string(c.listing->worker);
    if (step == Mailboxes::Step::complete) {
      out["last"] = true;
      out["total"] = c.listing->total;
      answer(c, out);
    } else if (step == Mailboxes::Step::stalled) {
      fail(c, "worker_stalled", "worker " + worker + " does not answer; the listing is incomplete");
    } else {
      fail(c, "worker_stopped", "worker " + worker + " does not run; the listing is incomplete");
    }
    mailboxes_.abandon(*c.listing);
    c.listing.reset();
  }
}

void ApiServer::Loop::write(Client& c, SteadyTime now) {
  while (c.out_at < c.out.size() && !c.dead) {
    const auto n = send(c.fd, c.out.data() + c.out_at, c.out.size() - c.out_at, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      c.dead = errno != EAGAIN;
      break;
    }
    c.out_at += static_cast<std::size_t>(n);
    c.active = now;
  }
  if (c.out_at == c.out.size()) {
    c.out.clear();
    c.out_at = 0;
    c.dead |= c.closing;
  } else if (c.out_at > kMaxQueued) {
    c.out.erase(0, c.out_at);
    c.out_at = 0;
  }
}

void ApiServer::Loop::expire(Client& c, SteadyTime now) const {
  const bool waits_for_us = c.listing && c.out_at == c.out.size();
  if (!waits_for_us && now - c.active > times_.idle) c.dead = true;
}

void ApiServer::Loop::answer(Client& c, const json& value) {
  c.out += print_json(value);
  c.out += '\n';
}

void ApiServer::Loop::fail(Client& c, const char* code, const std::string& text) {
  answer(c, {{"v", kApiVersion}, {"error", {{"code", code}, {"text", text}}}, {"last", true}});
}

}  // namespace braid::control
