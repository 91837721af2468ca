#include "cable.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <stdexcept>
#include <vector>

#include "kit/box_list.hpp"
#include "kit/profiles.hpp"

namespace braid::emulator {

Cable::Words Cable::read(const std::string& word) {
  const auto refuse = [&word](const std::string& why) -> std::invalid_argument {
    return std::invalid_argument("--link " + word + ": " + why);
  };
  const auto equals = word.find('=');
  std::vector<std::string> parts;
  std::istringstream rest(equals == std::string::npos ? "" : word.substr(equals + 1));
  for (std::string part; std::getline(rest, part, ',');) parts.push_back(part);
  if (parts.size() < 3 || parts.size() > 5) throw refuse("give NAME=PROFILE,DEVICE,DEVICE[,BOX[,ADDRESS]]");
  const auto spec = kit::profile(parts[0]);
  if (!spec)
    throw refuse(
        fmt::format("no profile '{}'; there are {}", parts[0], fmt::join(kit::profile_names(), ", ")));
  parts.resize(5);
  if (!parts[3].empty() && kit::box::find(parts[3]) == nullptr)
    throw refuse("no box '" + parts[3] + "'; --list-boxes prints them");
  if (!parts[4].empty() && !parse_ip(parts[4])) throw refuse("'" + parts[4] + "' is no IP address");
  Words w{*spec, parts[1], parts[2], parts[3], parts[4]};
  w.spec.name = word.substr(0, equals);
  return w;
}

Cable::Cable(kit::World& world, const std::string& word) : Cable(world, read(word)) {}

Cable::Cable(kit::World& world, const Words& words)
    : user_(words.user), network_(words.network), link_(world.link(words.spec, user_, 0, network_, 0)) {
  user_.attach(link_);
  network_.attach(link_);
  if (words.box.empty()) return;
  const Ip outside = words.outside.empty() ? Ip{} : *parse_ip(words.outside);
  link_.set_middlebox(kit::box::find(words.box)->make({world, link_, outside}));
}

}  // namespace braid::emulator
