#include "control/metrics.hpp"

#include <arpa/inet.h>
#include <civetweb.h>
#include <netinet/in.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace braid::control {

namespace {

struct Answer {
  int status = 200;
  const char* reason = "OK";
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

int send(mg_connection* connection, const Answer& answer) {
  const auto* info = mg_get_request_info(connection);
  const std::string_view method = info->request_method;
  Answer out = answer;
  if (method != "GET" && method != "HEAD") out = {405, "Method Not Allowed", out.type, "GET only\n"};
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
            "Connection: close\r\n\r\n",
            out.status, out.reason, out.type, out.body.size());
  if (method != "HEAD") mg_write(connection, out.body.data(), out.body.size());
  return out.status;
}

// A path of the handler's URI is matched as a prefix by civetweb; only the exact one is ours.
bool is_exact(const mg_connection* connection, std::string_view uri) {
  return mg_get_request_info(connection)->local_uri == uri;
}

int not_found(mg_connection* connection, void*) {
  return send(connection,
              {404, "Not Found", "text/plain; charset=utf-8", "try /metrics, /healthz or /readyz\n"});
}

int serve_metrics(mg_connection* connection, void* collector) {
  if (!is_exact(connection, "/metrics")) return not_found(connection, nullptr);
  const prometheus::TextSerializer serializer;
  return send(connection, {200, "OK", "text/plain; version=0.0.4; charset=utf-8",
                           serializer.Serialize(static_cast<const Collector*>(collector)->Collect())});
}

int serve_health(mg_connection* connection, void*) {
  if (!is_exact(connection, "/healthz")) return not_found(connection, nullptr);
  return send(connection, {200, "OK", "text/plain; charset=utf-8", "ok\n"});
}

int serve_ready(mg_connection* connection, void* data) {
  if (!is_exact(connection, "/readyz")) return not_found(connection, nullptr);
  const auto& sources = *static_cast<const Sources*>(data);
  const bool draining = sources.draining && sources.draining();
  if (!draining && sources.ready && sources.ready())
    return send(connection, {200, "OK", "text/plain; charset=utf-8", "ready\n"});
  return send(connection, {503, "Service Unavailable", "text/plain; charset=utf-8",
                           draining ? "draining\n" : "not ready\n"});
}

// civetweb tells why it cannot start only through its log, on the thread that starts it; the first line is
// the cause, later ones are its consequences.
thread_local std::string* start_log = nullptr;

int keep_message(const mg_connection*, const char* message) {
  if (start_log != nullptr && start_log->empty()) *start_log = message;
  return 1;  // not to stderr
}

// Connects to our own server and leaves.
void knock(const Endpoint& server) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const bool any = server.ip.is_v4() ? server.ip.v4() == 0 : server.ip.is_unset();
  if (server.ip.is_v4()) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(server.port);
    v4.sin_addr.s_addr = htonl(any ? INADDR_LOOPBACK : server.ip.v4());
  } else {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(server.port);
    v6.sin6_addr = in6addr_loopback;
    if (!any) inet_pton(AF_INET6, to_string(server.ip).c_str(), &v6.sin6_addr);
  }
  const int fd =
      socket(server.ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  const auto* address =
      server.ip.is_v4() ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  [[maybe_unused]] const int ignored = connect(fd, address, server.ip.is_v4() ? sizeof v4 : sizeof v6);
  close(fd);
}

}  // namespace

MetricsServer::MetricsServer(const Sources& sources, const Collector& collector)
    : sources_(sources), collector_(collector) {}

MetricsServer::~MetricsServer() { stop(); }

std::optional<std::string> MetricsServer::start(const Endpoint& listen) {
  mg_init_library(0);
  const auto where = to_string(listen);
  const std::array<const char*, 11> options{"listening_ports",
                                            where.c_str(),
                                            "num_threads",
                                            "2",
                                            "request_timeout_ms",
                                            "5000",
                                            "enable_directory_listing",
                                            "no",
                                            "enable_keep_alive",
                                            "no",
                                            nullptr};
  mg_callbacks callbacks{};
  callbacks.log_message = keep_message;
  std::string message;
  start_log = &message;
  errno = 0;
  auto options_copy = options;  // mg_start takes pointers to non-const pointers
  server_ = mg_start(&callbacks, nullptr, options_copy.data());
  start_log = nullptr;
  if (server_ == nullptr) {
    mg_exit_library();
    return "metrics.listen: cannot serve on " + where + ": " +
           (message.empty() ? std::string(std::strerror(errno)) : message) +
           "; choose a free address and port, or set metrics.enabled: false";
  }
  listen_ = {listen.ip, port()};
  mg_set_request_handler(server_, "/", not_found, nullptr);
  mg_set_request_handler(server_, "/metrics", serve_metrics, const_cast<Collector*>(&collector_));
  mg_set_request_handler(server_, "/healthz", serve_health, nullptr);
  mg_set_request_handler(server_, "/readyz", serve_ready, const_cast<Sources*>(&sources_));
  return {};
}

std::uint16_t MetricsServer::port() const {
  if (server_ == nullptr) return 0;
  mg_server_port port{};
  return mg_get_server_ports(server_, 1, &port) == 1 ? static_cast<std::uint16_t>(port.port)
                                                     : std::uint16_t{0};
}

void MetricsServer::stop() {
  if (server_ == nullptr) return;
  // mg_stop() joins its threads, but the one that accepts looks at its flag only every two seconds or when
  // somebody connects.
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    mg_stop(server_);
    stopped.store(true, std::memory_order_release);
  });
  while (!stopped.load(std::memory_order_acquire)) {
    knock(listen_);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  stopper.join();
  mg_exit_library();
  server_ = nullptr;
}

}  // namespace braid::control
