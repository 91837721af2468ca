#include "eal_words.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "config/scalars.hpp"

namespace braid::daemon {

namespace {

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Word : std::uint8_t { cores, mask, main, memory, socket_memory, prefix };

struct Name {
  std::string_view text;
  Word word;
};
constexpr Name kNames[] = {
    {"-l", Word::cores},
    {"--lcores", Word::cores},
    {"-c", Word::mask},
    {"--main-lcore", Word::main},
    {"-m", Word::memory},
    {"--socket-mem", Word::socket_memory},
    {"--file-prefix", Word::prefix},
};

// An option with its value, and how many elements of the argument list they are.
struct Option {
  Name name;
  std::string value;
  std::size_t length;
};

// The option at `at`, if it is one of ours: "-l 0-1", "-l0-1", "--lcores 0-1" or "--lcores=0-1".
std::optional<Option> option_at(const std::vector<std::string>& arguments, std::size_t at) {
  const std::string& argument = arguments[at];
  for (const Name& name : kNames) {
    if (!argument.starts_with(name.text)) continue;
    std::string rest = argument.substr(name.text.size());
    const bool is_long = name.text.starts_with("--");
    if (rest.empty()) {
      if (at + 1 == arguments.size()) throw Wrong("EAL argument " + argument + " needs a value");
      return Option{name, arguments[at + 1], 2};
    }
    if (is_long && rest.front() != '=') continue;
    return Option{name, is_long ? rest.substr(1) : rest, 1};
  }
  return std::nullopt;
}

std::vector<unsigned> cores_of(const Option& o) {
  if (o.name.word == Word::cores) {
    if (const auto cores = config::parse_cores(o.value)) return *cores;
    throw Wrong("EAL argument " + std::string(o.name.text) + " " + config::quote(o.value) +
                ": must be a list of cores such as 0-2 or 0,2; which thread runs where is Braid's to say");
  }
  std::string_view digits = o.value;
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  std::uint64_t mask = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
  if (error != std::errc{} || end != digits.data() + digits.size() || mask == 0)
    throw Wrong("EAL argument -c " + config::quote(o.value) +
                ": must be a mask of cores such as 0x7 (above core 63: -l LIST)");
  std::vector<unsigned> out;
  for (unsigned core = 0; core < 64; ++core) {
    if ((mask >> core & 1U) != 0) out.push_back(core);
  }
  return out;
}

std::uint64_t mebibytes(const Option& o, std::string_view text) {
  const auto n = config::parse_unsigned(text);
  if (!n || *n > (1ULL << 20))
    throw Wrong("EAL argument " + std::string(o.name.text) + " " + config::quote(o.value) +
                ": must be a number of MiB, at most 1048576" +
                (o.name.word == Word::socket_memory ? " for each socket" : ""));
  return *n << 20;
}

std::uint64_t memory_of(const Option& o) {
  if (o.name.word == Word::memory) return mebibytes(o, o.value);
  std::uint64_t sum = 0;
  std::size_t from = 0;
  while (from <= o.value.size()) {
    const std::size_t comma = std::min(o.value.find(',', from), o.value.size());
    sum += mebibytes(o, std::string_view(o.value).substr(from, comma - from));
    from = comma + 1;
  }
  return sum;
}

class Translation {
 public:
  explicit Translation(config::Loaded& loaded) : loaded_(loaded) {}

  void take(const Option& o) {
    switch (o.name.word) {
      case Word::cores:
      case Word::mask:
        claim("workers.cores", o);
        if (loaded_.places.has("dpdk.main_core")) claim("dpdk.main_core", o);
        cores_ = cores_of(o);
        break;
      case Word::main: {
        claim("dpdk.main_core", o);
        const auto core = config::parse_unsigned(o.value);
        if (!core || *core > 1023)
          throw Wrong("EAL argument --main-lcore " + config::quote(o.value) +
                      ": must be a core's number below 1024");
        loaded_.config.dpdk.main_core = static_cast<unsigned>(*core);
        break;
      }
      case Word::memory:
      case Word::socket_memory:
        claim("dpdk.memory", o);
        loaded_.config.dpdk.memory = memory_of(o);
        break;
      case Word::prefix:
        claim("dpdk.file_prefix", o);
        loaded_.config.dpdk.file_prefix = o.value;
        break;
    }
  }

  // The cores named go to the main thread and to the workers.
  void share_cores() {
    if (cores_.empty()) return;
    config::Config& c = loaded_.config;
    if (!c.dpdk.main_core) c.dpdk.main_core = cores_.front();
    const auto main = std::find(cores_.begin(), cores_.end(), *c.dpdk.main_core);
    if (main == cores_.end())
      throw Wrong("EAL argument --main-lcore " + std::to_string(*c.dpdk.main_core) +
                  " is not among the cores named by -l, -c or --lcores");
    cores_.erase(main);
    if (cores_.size() < c.workers.count)
      throw Wrong("EAL arguments name " + std::to_string(cores_.size() + 1) +
                  " cores, but one for control and " + std::to_string(c.workers.count) +
                  " for workers (workers.count) are needed");
    cores_.resize(c.workers.count);
    c.workers.cores = std::move(cores_);
  }

 private:
  void claim(const std::string& key, const Option& o) {
    const std::string text = std::string(o.name.text) + " " + o.value;
    if (loaded_.places.has(key)) {
      throw Wrong("EAL argument " + text + " clashes with the configuration: " +
                  config::to_string(loaded_.places.mistake(key, "stands there too"), loaded_.config.file) +
                  "; give it in one place only");
    }
    const auto [first, fresh] = by_key_.emplace(key, text);
    if (!fresh) throw Wrong("EAL argument " + text + " clashes with " + first->second + "; give one of them");
  }

  config::Loaded& loaded_;
  std::vector<unsigned> cores_;
  std::map<std::string, std::string> by_key_;
};

}  // namespace

std::string take_eal_words(std::vector<std::string>& arguments, config::Loaded& loaded) {
  try {
    Translation translation(loaded);
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < arguments.size();) {
      const auto option = option_at(arguments, i);
      const std::size_t length = option ? option->length : 1;
      if (option) translation.take(*option);
      if (!option || option->name.word == Word::socket_memory)
        rest.insert(rest.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                    arguments.begin() + static_cast<std::ptrdiff_t>(i + length));
      i += length;
    }
    translation.share_cores();
    arguments = std::move(rest);
    return {};
  } catch (const Wrong& e) {
    return e.what();
  }
}

}  // namespace braid::daemon
