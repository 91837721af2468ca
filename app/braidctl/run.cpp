#include "braidctl/run.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "braidctl/client.hpp"
#include "braidctl/format.hpp"

namespace braidctl {

using nlohmann::json;

namespace {

// Writing that remembers its first failure.
class Output {
 public:
  explicit Output(std::FILE* file) : file_(file) {}
  // False: stop, nobody takes more.
  bool write(const std::string& text) {
    if (error_ == 0 && std::fwrite(text.data(), 1, text.size(), file_) != text.size()) error_ = errno;
    return error_ == 0;
  }
  void finish() {
    if (std::fflush(file_) != 0 && error_ == 0) error_ = errno;
  }
  [[nodiscard]] int error() const { return error_; }

 private:
  std::FILE* file_;
  int error_ = 0;
};

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// What one answer line meant.
enum class Line : std::uint8_t { more, last, failed };

// Sessions come in several lines and are written as they come: as JSON they are one document all the same.
class SessionWriter {
 public:
  SessionWriter(const Options& options, Output& out) : json_(options.json), out_(out) {
    out_.write(json_ ? "{\"v\":1,\"sessions\":[" : "");
  }
  bool page(const json& sessions) {
    for (const auto& s : sessions) {
      if (json_) {
        if (!out_.write((count_ == 0 ? "\n" : ",\n") + dump(s))) return false;
      } else if (!out_.write((count_ == 0 ? sessions_header() : "") + format_session(s))) {
        return false;
      }
      ++count_;
    }
    return true;
  }
  void finish(bool complete) {
    if (json_) {
      out_.write(fmt::format("\n],\"total\":{},\"complete\":{}}}\n", count_, complete));
    } else if (count_ == 0 && complete) {
      out_.write("no sessions\n");
    }
  }

 private:
  bool json_;
  Output& out_;
  std::uint64_t count_ = 0;
};

Line read_answer(const std::optional<std::string>& line, json& value, std::string& problem) {
  if (!line) {
    problem = "braidd ended the connection or did not answer; try again, and see its log";
    return Line::failed;
  }
  value = json::parse(*line, nullptr, false);
  if (!value.is_object()) {
    problem = "the answer is no JSON; is this braidd's control.socket?";
    return Line::failed;
  }
  if (const auto error = value.find("error"); error != value.end()) {
    problem = "braidd says: " + (error->is_object() ? error->value("text", dump(*error)) : dump(*error));
    return Line::failed;
  }
  const auto last = value.find("last");
  return last != value.end() && *last == false ? Line::more : Line::last;
}

std::string render(const Options& o, const json& value) {
  const auto found = value.find(o.command);
  const json body = found == value.end() ? json() : *found;
  if (o.json) {
    if (o.command != "info") return dump({{"v", 1}, {o.command, body}}) + "\n";
    json info = body;
    info["v"] = 1;
    return dump(info) + "\n";
  }
  if (o.command == "info") return format_info(body);
  return o.command == "stats" ? format_stats(body, o.all) : format_drops(body, o.all);
}

std::string exchange(const Options& o, Client& client, Output& out) {
  std::string problem;
  json value;
  if (o.command != "sessions") {
    if (read_answer(client.next(), value, problem) != Line::failed) out.write(render(o, value));
    return problem;
  }
  SessionWriter writer(o, out);
  while (true) {
    const auto line = read_answer(client.next(), value, problem);
    if (line != Line::failed && !writer.page(value.value("sessions", json::array()))) return {};
    if (line == Line::more) continue;
    writer.finish(line == Line::last);
    return problem;
  }
}

}  // namespace

int run(const Options& options, std::FILE* out, std::FILE* err) {
  Client client;
  if (const auto wrong = client.connect(options.socket)) {
    std::fputs(("braidctl: " + *wrong + "\n").c_str(), err);
    return kUnavailable;
  }
  std::string problem;
  Output output(out);
  if (!client.ask(options.command)) {
    problem = "braidd does not take the request";
  } else {
    problem = exchange(options, client, output);
  }
  output.finish();
  if (output.error() != 0 && output.error() != EPIPE) {
    std::fputs((std::string("braidctl: cannot write: ") + std::strerror(output.error()) + "\n").c_str(), err);
    return kOutput;
  }
  if (problem.empty()) return kOk;
  std::fputs(("braidctl: " + problem + "\n").c_str(), err);
  return kProtocol;
}

}  // namespace braidctl
