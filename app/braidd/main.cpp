// braidd: reads the configuration, starts the appliance, serves until it is told to stop.

#include <csignal>
#include <cstdio>
#include <exception>

#include "appliance.hpp"
#include "config/load.hpp"
#include "cores.hpp"
#include "dpdk_log.hpp"
#include "engine_tasks.hpp"
#include "options.hpp"
#include "profiles.hpp"
#include "signals.hpp"

namespace braid::daemon {

namespace {

int complain(const std::exception& e, int exit) {
  std::fprintf(stderr, "braidd: %s\n", e.what());
  return exit;
}

int serve(const config::Config& config, std::vector<dpdk::Profile> profiles, const Options& options) {
  try {
    const Plan plan{config, std::move(profiles), worker_cores(config, allowed_cores()), options.program,
                    options.eal};
    const Signals signals;
    // Every thread made from here on stays on the control core; EAL pins the workers'.
    pin_to(config.dpdk.main_core);
    control::Log log(config.log);
    const DpdkLog dpdk_log(log);
    Appliance appliance(plan, log, make_engine_tasks);
    appliance.run(signals);
    return kClean;
  } catch (const std::exception& e) {
    return complain(e, kUnavailable);
  }
}

int run(const Options& options) {
  const config::Loaded loaded = config::load_file(options.config);
  for (const auto& mistake : loaded.mistakes) {
    std::fprintf(stderr, "%s\n", config::to_string(mistake, options.config).c_str());
  }
  if (!loaded.ok()) return kBadConfig;
  std::vector<dpdk::Profile> profiles;
  try {
    const std::string directory = profile_directory(options.drivers_config);
    for (const config::Port& port : loaded.config.ports) profiles.push_back(load_profile(directory, port));
  } catch (const ProfileError& e) {
    return complain(e, kBadConfig);
  }
  if (options.check) {
    std::printf("%s: good\n", options.config.c_str());
    return kClean;
  }
  return serve(loaded.config, std::move(profiles), options);
}

}  // namespace

}  // namespace braid::daemon

int main(int argc, char** argv) {
  using namespace braid::daemon;
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our log that goes away must not take the appliance with it
  const Parsed parsed = parse_options({argv, argv + argc});
  if (!parsed.options) {
    std::fputs(parsed.text.c_str(), parsed.exit == kClean ? stdout : stderr);
    return parsed.exit;
  }
  try {
    return run(*parsed.options);
  } catch (const std::exception& e) {
    return complain(e, kUnavailable);
  }
}
