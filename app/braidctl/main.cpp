// braidctl: the operator's tool.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "braidctl/run.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  braidctl::Options options;
  CLI::App app("Asks a running braidd. Answers are tables for people, or JSON for programs (--json).",
               "braidctl");
  app.add_option("--socket", options.socket, "braidd's control.socket")->capture_default_str();
  app.add_flag("--json", options.json, "JSON instead of tables");
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok, 64 usage, 69 no daemon there, 74 output failed, 76 the daemon answered with an "
      "error.");
  const auto command = [&](const char* name, const char* about) {
    auto* sub = app.add_subcommand(name, about);
    sub->fallthrough();
    sub->callback([&options, name] { options.command = name; });
    return sub;
  };
  command("info", "version, workers, ports, listeners, upstreams");
  command("sessions", "client connections with their subflows and server leg, like ss -M");
  command("stats", "counters")->add_flag("--all", options.all, "those that are zero too");
  command("drops", "discarded packets by reason")->add_flag("--all", options.all, "those that are zero too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const auto rest = app.remaining();
    const bool unknown = app.get_subcommands().empty() && !rest.empty();
    const std::string wrong = unknown ? "\"" + rest.front() + "\" is no command" : error.what();
    std::fprintf(stderr, "braidctl: %s\nusage: braidctl [--socket PATH] info|sessions|stats|drops [--json]\n",
                 wrong.c_str());
    return braidctl::kUsage;
  }
  return braidctl::run(options, stdout, stderr);
}
