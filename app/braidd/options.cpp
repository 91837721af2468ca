#include "options.hpp"

#include <rte_version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

namespace braid::daemon {

Parsed parse_options(const std::vector<std::string>& arguments) {
  Options o;
  o.program = arguments.empty() ? "braidd" : arguments.front();
  std::vector<std::string> own(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (const auto dashes = std::find(own.begin(), own.end(), "--"); dashes != own.end()) {
    o.eal.assign(own.begin(), dashes);
    own.erase(own.begin(), dashes + 1);
  }
  CLI::App app{
      "braidd: MPTCP proxy on DPDK.\nUsage: braidd [EAL argument...] -- --config FILE, or braidd --config "
      "FILE",
      "braidd"};
  app.add_option("--config", o.config, "configuration file (YAML)")->required();
  app.add_flag("--check", o.check, "check the configuration and end: 0 it is good, 78 it is not");
  app.add_option("--drivers-config", o.drivers_config, "directory of port profiles (drivers-config)");
  app.set_version_flag("--version", std::string("braidd " BRAID_VERSION ", ") + rte_version());
  std::reverse(own.begin(), own.end());  // CLI11 takes the arguments last first
  Parsed out;
  try {
    app.parse(own);
    out.options = std::move(o);
  } catch (const CLI::ParseError& e) {
    std::ostringstream text;
    out.exit = app.exit(e, text, text) == 0 ? kClean : kUsage;
    out.text = text.str();
  }
  return out;
}

}  // namespace braid::daemon
