#include "config/config.hpp"

namespace braid::config {

std::string_view Port::driver() const {
  const std::string_view text = device;
  return text.starts_with("net_") ? text.substr(0, text.find(':')) : std::string_view("pci");
}

std::string_view Port::target() const {
  const std::string_view text = device;
  const auto colon = text.find(':');
  if (is_pci()) return text;
  return colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
}

std::string device_name(const Port& port, const Vlan& vlan) {
  std::string name = port.name;
  for (const unsigned id : vlan.id) name += "." + std::to_string(id);
  return name;
}

const char* to_string(Hugepages v) {
  switch (v) {
    case Hugepages::automatic:
      return "auto";
    case Hugepages::on:
      return "on";
    case Hugepages::off:
      return "off";
  }
  return "?";
}

const char* to_string(Idle v) {
  switch (v) {
    case Idle::spin:
      return "spin";
    case Idle::pause:
      return "pause";
    case Idle::sleep:
      return "sleep";
  }
  return "?";
}

const char* to_string(MptcpMode v) {
  switch (v) {
    case MptcpMode::prefer:
      return "prefer";
    case MptcpMode::off:
      return "off";
  }
  return "?";
}

const char* to_string(Congestion v) {
  switch (v) {
    case Congestion::cubic:
      return "cubic";
    case Congestion::newreno:
      return "newreno";
  }
  return "?";
}

const char* to_string(Scheduler v) {
  switch (v) {
    case Scheduler::lowest_rtt:
      return "lowest_rtt";
  }
  return "?";
}

const char* to_string(LogLevel v) {
  switch (v) {
    case LogLevel::error:
      return "error";
    case LogLevel::warn:
      return "warn";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "?";
}

const char* to_string(LogFormat v) {
  switch (v) {
    case LogFormat::text:
      return "text";
    case LogFormat::json:
      return "json";
  }
  return "?";
}

}  // namespace braid::config
