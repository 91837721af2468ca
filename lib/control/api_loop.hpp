// The API server's thread: one poll(2) loop over all clients. See api.hpp.
#pragma once

#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/api.hpp"
#include "control/listing.hpp"

namespace braid::control {

class ApiServer::Loop {
 public:
  // Takes the listening socket.
  Loop(const Sources& sources, SessionSource& sessions, Times times, int listener);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] bool good() const { return wake_ >= 0; }
  void run();
  // From another thread: run() returns soon.
  void ask_to_stop();
  // After run() has returned: closes every descriptor but keeps the workers' requests.
  void close_all();

 private:
  struct Client {
    int fd = -1;
    std::string in;           // a request not yet complete
    std::string out;          // answers not yet taken
    std::size_t out_at = 0;   // bytes of `out` already written
    std::size_t skipped = 0;  // bytes of an overlong line thrown away
    bool skipping = false;    // until the end of that line
    bool eof = false;         // it sends no more
    bool closing = false;     // once `out` is written
    bool dead = false;
    SteadyTime active{};
    std::optional<Listing> listing;
  };

  int poll_once();
  void accept_client(SteadyTime now);
  void receive(Client& client, SteadyTime now);
  void keep_line_bound(Client& client);
  void serve(Client& client);
  void request(Client& client, std::string_view line);
  void command(Client& client, const std::string& name);
  void list(Client& client, SteadyTime now);
  void write(Client& client, SteadyTime now);
  void expire(Client& client, SteadyTime now) const;
  static void answer(Client& client, const nlohmann::json& value);
  static void fail(Client& client, const char* code, const std::string& text);

  const Sources& sources_;
  Times times_;
  Mailboxes mailboxes_;
  int listener_;
  int wake_;
  std::atomic<bool> stop_{false};
  SteadyTime started_;
  std::uint64_t listings_ = 0;
  std::vector<Client> clients_;
};

}  // namespace braid::control
