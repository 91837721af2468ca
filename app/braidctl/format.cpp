#include "braidctl/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace braidctl {

using nlohmann::json;

namespace {

constexpr const char* kNone = "-";

const json& at(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

std::uint64_t number(const json& object, const char* key) {
  const auto& v = at(object, key);
  return v.is_number() ? v.get<std::uint64_t>() : 0;
}

std::string text(const json& object, const char* key) {
  const auto& v = at(object, key);
  if (v.is_string()) return v.get<std::string>();
  if (v.is_number_integer()) return v.dump();
  return kNone;
}

bool flag(const json& object, const char* key) {
  const auto& v = at(object, key);
  return v.is_boolean() && v.get<bool>();
}

// Characters a terminal shows: UTF-8 continuation bytes take no place.
std::size_t width(const std::string& s) {
  return static_cast<std::size_t>(std::count_if(
      s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Rows under a head, columns as wide as their widest cell. `right`: columns flush right, as a bit set.
std::string table(const std::vector<std::vector<std::string>>& rows, unsigned right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - width(row[i]), ' ');
      line += " " + (((right >> i) & 1U) != 0 ? pad + row[i] : row[i] + pad) + " ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string join(const json& list) {
  std::string out;
  if (list.is_array())
    for (const auto& v : list)
      if (v.is_string()) out += (out.empty() ? "" : " ") + v.get<std::string>();
  return out.empty() ? kNone : out;
}

std::string leg(const json& s, const std::string& name, const char* arrow) {
  std::string out =
      fmt::format("    {:<11} {} {} {}  {}  rtt {}±{}  cwnd {}  sent {}  received {}", name, text(s, "local"),
                  arrow, text(s, "remote"), text(s, "state"), print_micros(number(s, "srtt_us")),
                  print_micros(number(s, "rttvar_us")), print_bytes(number(s, "cwnd_bytes")),
                  print_bytes(number(s, "bytes_sent")), print_bytes(number(s, "bytes_received")));
  if (const auto n = number(s, "retransmitted_segments"); n != 0) out += fmt::format("  retransmitted {}", n);
  if (const auto n = number(s, "reinjected_segments"); n != 0) out += fmt::format("  reinjected {}", n);
  if (flag(s, "backup")) out += "  backup";
  if (flag(s, "stale")) out += "  stale";
  return out + "\n";
}

std::string info_workers(const json& workers) {
  std::vector<std::vector<std::string>> rows{
      {"WORKER", "CLIENTS", "SESSIONS", "SUBFLOWS", "TCP", "BUFFERED", "BUSY", "RX", "TX", "HANDOFFS"}};
  for (const auto& w : workers) {
    const auto& busy = at(w, "busy_seconds");
    rows.push_back({text(w, "worker"), text(w, "client_connections"), text(w, "sessions"),
                    text(w, "subflows"), text(w, "tcp_connections"), print_bytes(number(w, "buffered_bytes")),
                    busy.is_number() ? fmt::format("{:.1f}s", busy.get<double>()) : kNone,
                    text(w, "rx_frames"), text(w, "tx_frames"), text(w, "handoffs")});
  }
  return table(rows, 0x3fe);
}

std::string info_ports(const json& ports) {
  std::vector<std::vector<std::string>> rows{
      {"PORT", "LINK", "DEVICE", "RX PACKETS", "RX", "TX PACKETS", "TX", "MISSED", "NO BUFFER", "ERRORS"}};
  for (const auto& p : ports)
    rows.push_back({text(p, "name"), flag(p, "up") ? "up" : "down", text(p, "device"), text(p, "rx_packets"),
                    print_bytes(number(p, "rx_bytes")), text(p, "tx_packets"),
                    print_bytes(number(p, "tx_bytes")), text(p, "missed"), text(p, "no_buffer"),
                    text(p, "errors")});
  return table(rows, 0x3f8);
}

std::string counters(const json& list, bool all, bool& any) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& c : list)
    if (all || number(c, "value") != 0) rows.push_back({text(c, "name"), text(c, "value"), text(c, "text")});
  any |= !rows.empty();
  return table(rows, 0x2);
}

}  // namespace

std::string print_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string print_micros(std::uint64_t us) {
  if (us < 1'000) return fmt::format("{}us", us);
  if (us < 1'000'000) return fmt::format("{:.1f}ms", static_cast<double>(us) / 1e3);
  return fmt::format("{:.2f}s", static_cast<double>(us) / 1e6);
}

std::string print_age(std::uint64_t ms) {
  const auto s = ms / 1000;
  if (s == 0) return fmt::format("{}ms", ms);
  if (s < 60) return fmt::format("{}.{}s", s, ms / 100 % 10);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d{:02}h", s / 86400, s / 3600 % 24);
}

std::string format_info(const json& info) {
  const char* state = flag(info, "draining") ? "draining" : flag(info, "ready") ? "ready" : "not ready";
  std::string out =
      fmt::format("Braid {}, {}, pid {}, up {}: {}\n", text(info, "version"), text(info, "dpdk"),
                  text(info, "pid"), print_age(number(info, "uptime_seconds") * 1000), state);
  out += fmt::format("config  {}\neal     {}\n", text(info, "config"), text(info, "eal"));
  out += "\n" + info_workers(at(info, "workers"));
  out += "\n" + info_ports(at(info, "ports"));
  std::vector<std::vector<std::string>> rows{{"POOL", "IN USE", "SIZE"}};
  for (const auto& p : at(info, "pools"))
    rows.push_back({text(p, "name"), text(p, "in_use"), text(p, "size")});
  if (rows.size() > 1) out += "\n" + table(rows, 0x6);
  rows = {{"LISTENER", "MPTCP", "UPSTREAM", "BIND"}};
  for (const auto& l : at(info, "listeners"))
    rows.push_back({text(l, "name"), text(l, "mptcp"), text(l, "upstream"), join(at(l, "bind"))});
  out += "\n" + table(rows, 0);
  rows = {{"UPSTREAM", "SERVERS"}};
  for (const auto& u : at(info, "upstreams")) rows.push_back({text(u, "name"), join(at(u, "servers"))});
  return out + "\n" + table(rows, 0);
}

std::string sessions_header() {
  return fmt::format("{:<8} {:<8} {:<12} {:<12} {:<28} {:>4} {:>10} {:>10} {:>8} {:>8}\n", "ID", "MODE",
                     "STATE", "LISTENER", "CLIENT", "SUBF", "UP", "DOWN", "AGE", "IDLE");
}

std::string format_session(const json& s) {
  const auto& subflows = at(s, "subflows");
  std::string out =
      fmt::format("{:<8} {:<8} {:<12} {:<12} {:<28} {:>4} {:>10} {:>10} {:>8} {:>8}\n", text(s, "id"),
                  text(s, "mode"), text(s, "state"), text(s, "listener"), text(s, "client"), subflows.size(),
                  print_bytes(number(s, "bytes_up")), print_bytes(number(s, "bytes_down")),
                  print_age(number(s, "age_ms")), print_age(number(s, "idle_ms")));
  const bool tcp = text(s, "mode") == "tcp";
  for (const auto& f : subflows)
    out += leg(f, tcp ? "client" : fmt::format("subflow {}:{}", text(f, "local_id"), text(f, "remote_id")),
               "<-");
  return out + leg(at(s, "server"), "server", "->");
}

std::string format_stats(const json& stats, bool all) {
  std::vector<std::pair<std::string, json>> groups;
  for (const auto& c : stats) {
    const auto group = text(c, "group");
    if (groups.empty() || groups.back().first != group) groups.emplace_back(group, json::array());
    groups.back().second.push_back(c);
  }
  std::string out;
  bool any = false;
  for (const auto& [group, list] : groups) {
    const auto lines = counters(list, all, any);
    if (!lines.empty()) out.append(out.empty() ? "" : "\n").append(group).append("\n").append(lines);
  }
  return any ? out : "all counters are zero (--all shows them)\n";
}

std::string format_drops(const json& drops, bool all) {
  bool any = false;
  const auto lines = counters(drops, all, any);
  return any ? lines : "no packet was dropped (--all shows the reasons)\n";
}

}  // namespace braidctl
