// The tool's end of the operator's socket (the protocol is described in lib/control/api_loop.cpp).
#pragma once

#include <optional>
#include <string>

namespace braidctl {

class Client {
 public:
  Client() = default;
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Nothing on success, else what is wrong and what helps.
  std::optional<std::string> connect(const std::string& path);
  // Sends one request line for `command`; false when the other side is gone.
  bool ask(const std::string& command);
  // The next answer line without its end; nothing when the connection ends or stays silent for kSilence
  // seconds.
  std::optional<std::string> next();

  static constexpr int kSilence = 10;

 private:
  int fd_ = -1;
  std::string in_;
  std::size_t scanned_ = 0;  // bytes of in_ known to hold no line end
};

}  // namespace braidctl
