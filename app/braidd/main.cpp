// braidd: reads the configuration, starts the appliance, serves until it is told to stop.

#include <csignal>
#include <cstdio>
#include <exception>

#include "appliance.hpp"
#include "config/load.hpp"
#include "cores.hpp"
#include "dpdk_log.hpp"
#include "eal_words.hpp"
#include "engine_tasks.hpp"
#include "fit.hpp"
#include "options.hpp"
#include "profiles.hpp"
#include "signals.hpp"

namespace braid::daemon {

namespace {

int complain(const std::exception& e, int exit) {
  std::fprintf(stderr, "braidd: %s\n", e.what());
  return exit;
}

int complain(const std::vector<std::string>& lines, int exit) {
  for (const std::string& line : lines) std::fprintf(stderr, "%s\n", line.c_str());
  return exit;
}

std::vector<std::string> lines_of(const std::vector<config::Mistake>& mistakes, const std::string& file) {
  std::vector<std::string> out;
  out.reserve(mistakes.size());
  for (const auto& m : mistakes) out.push_back(config::to_string(m, file));
  return out;
}

int serve(const config::Config& config, std::vector<dpdk::Profile> profiles, const Options& options) {
  try {
    const Plan plan{config, std::move(profiles), choose_cores(config, allowed_cores()), options.program,
                    options.eal};
    const Signals signals;
    // Every thread made from here on stays on the control core; EAL pins the workers'.
    pin_to(plan.cores.main);
    control::Log log(config.log);
    const DpdkLog dpdk_log(log);
    Appliance appliance(plan, log, make_engine_tasks);
    appliance.run(signals);
    return kClean;
  } catch (const std::exception& e) {
    return complain(e, kUnavailable);
  }
}

// Everything that can be known before a device is touched; the rest is up to the machine.
int run(Options options) {
  config::Loaded loaded = config::load_file(options.config);
  if (!loaded.ok()) return complain(lines_of(loaded.mistakes, options.config), kBadConfig);
  if (const std::string wrong = take_eal_words(options.eal, loaded); !wrong.empty())
    return complain({"braidd: " + wrong}, kUsage);
  Profiles profiles;
  try {
    profiles = load_profiles(profile_directory(options.drivers_config), loaded);
  } catch (const NoProfiles& e) {
    return complain(e, options.drivers_config.empty() ? kUnavailable : kUsage);
  }
  if (!profiles.mistakes.empty()) return complain(profiles.mistakes, kBadConfig);
  if (const auto misfits = check_fit(loaded, profiles.by_port); !misfits.empty())
    return complain(lines_of(misfits, options.config), kBadConfig);
  if (options.check) {
    std::printf("%s: good\n", options.config.c_str());
    return kClean;
  }
  return serve(loaded.config, std::move(profiles.by_port), options);
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
