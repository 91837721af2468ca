// The operator's socket over a real Unix socket, with workers that are a thread each.
#include "control/api.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "braidctl/client.hpp"
#include "braidctl/run.hpp"
#include "unit/control/fixtures.hpp"

namespace braid::control {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Workers that hold `count` sessions each and answer in a thread of their own, a batch per turn.
class FakeWorkers final : public SessionSource {
 public:
  FakeWorkers(unsigned workers, std::uint32_t count) : count_(count), boxes_(workers) {
    for (unsigned w = 0; w < workers; ++w) threads_.emplace_back([this, w] { turn(w); });
  }
  ~FakeWorkers() override {
    stop_ = true;
    for (auto& t : threads_) t.join();
  }
  [[nodiscard]] unsigned workers() const override { return static_cast<unsigned>(boxes_.size()); }
  bool post(unsigned worker, engine::ListRequest& request) override {
    if (stopped_) return false;
    EXPECT_EQ(boxes_[worker].exchange(&request), nullptr) << "two requests in one mailbox";
    return true;
  }
  void set_mute(bool mute) { mute_ = mute; }
  void set_stopped() { stopped_ = true; }

 private:
  void turn(unsigned w) {
    while (!stop_) {
      auto* request = mute_ ? nullptr : boxes_[w].exchange(nullptr);
      if (request == nullptr) {
        std::this_thread::sleep_for(std::chrono::microseconds(20));  // leave the cores to the others
        continue;
      }
      std::uint32_t n = 0;
      for (; n < request->out.size() && request->cursor + n < count_; ++n) {
        auto& s = request->out[n];
        s = {};
        s.id = (std::uint64_t{w} << 56) | (request->cursor + n + 1);
        s.mode = engine::Mode::mptcp;
        s.state = s.server.state = "ESTABLISHED";
        s.subflow_count = 2;
      }
      request->filled = n;
      request->next = request->cursor + n < count_ ? request->cursor + n : 0;
      request->done.store(true, std::memory_order_release);
    }
  }
  std::uint32_t count_;
  std::vector<std::atomic<engine::ListRequest*>> boxes_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> mute_{false};
  std::atomic<bool> stopped_{false};
  std::vector<std::thread> threads_;
};

// A client that sends what it is told.
class Raw {
 public:
  explicit Raw(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    path.copy(to.sun_path, sizeof to.sun_path - 1);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    const timeval bound{20, 0};  // a hang becomes a failure
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  }
  ~Raw() { close(fd_); }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  [[nodiscard]] bool connected() const { return connected_; }
  bool send(const std::string& text) {
    std::size_t sent = 0;
    while (sent < text.size()) {
      const auto n = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }
  void finish() { shutdown(fd_, SHUT_WR); }
  // The next line as JSON; discarded at the end of the connection.
  json next() {
    while (in_.find('\n') == std::string::npos) {
      char buffer[65536];
      const auto n = recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) return json(json::value_t::discarded);
      in_.append(buffer, static_cast<std::size_t>(n));
    }
    const auto end = in_.find('\n');
    auto value = json::parse(in_.substr(0, end), nullptr, false);
    in_.erase(0, end + 1);
    return value;
  }
  json ask(const std::string& line) {
    send(line + "\n");
    return next();
  }
  std::string error_code(const std::string& line) {
    const auto value = ask(line);
    return value.is_object() && value.contains("error") ? value["error"]["code"].get<std::string>()
                                                        : value.dump();
  }

 private:
  int fd_;
  bool connected_ = false;
  std::string in_;
};

class Api : public testing::Test {
 protected:
  static std::string make_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "braid-api-XXXXXX").string();
    return mkdtemp(name.data());
  }
  void start(unsigned workers, std::uint32_t sessions, ApiServer::Times times = {}) {
    source_ = std::make_unique<FakeWorkers>(workers, sessions);
    server_ = std::make_unique<ApiServer>(appliance_.sources, *source_, times);
    ASSERT_EQ(server_->start(path_), std::nullopt);
  }
  void TearDown() override {
    if (server_) server_->stop();
    source_.reset();
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::string directory_ = make_directory();
  std::string path_ = directory_ + "/run/braid.sock";
  Appliance appliance_;
  std::unique_ptr<FakeWorkers> source_;
  std::unique_ptr<ApiServer> server_;
};

constexpr const char* kInfo = R"({"v":1,"cmd":"info"})";
constexpr const char* kSessions = R"({"v":1,"cmd":"sessions"})";

// Reads a listing to its end; returns the ids, or nothing after an error.
std::vector<std::string> read_listing(Raw& client) {
  std::vector<std::string> ids;
  while (true) {
    const auto line = client.next();
    if (!line.is_object() || line.contains("error")) return {};
    EXPECT_LE(line["sessions"].size(), ApiServer::kPage);
    for (const auto& s : line["sessions"]) ids.push_back(s["id"]);
    if (line["last"] == true) {
      EXPECT_EQ(line["total"], ids.size());
      return ids;
    }
  }
}

TEST_F(Api, AnswersItsCommands) {
  start(2, 1);
  Raw client(path_);
  const auto info = client.ask(kInfo);
  EXPECT_EQ(info["v"], 1);
  EXPECT_EQ(info["last"], true);
  EXPECT_EQ(info["info"]["version"], "0.1.0");
  EXPECT_EQ(info["info"]["listeners"][1]["name"], "mail");
  EXPECT_EQ(client.ask(R"({"v":1,"cmd":"drops"})")["drops"].size(), stats::Table<stats::Drop>::kSize);
  EXPECT_EQ(client.ask(R"({"v":1,"cmd":"stats"})")["stats"][0]["name"], "loops");
  ASSERT_TRUE(client.send(std::string(kSessions) + "\n"));
  EXPECT_EQ(read_listing(client), (std::vector<std::string>{"0.1", "1.1"}));
}

TEST_F(Api, ListsTenThousandSessionsOnceEach) {
  start(4, 2'500);
  Raw client(path_);
  ASSERT_TRUE(client.send(std::string(kSessions) + "\n" + kInfo + "\n"));
  const auto ids = read_listing(client);
  EXPECT_EQ(ids.size(), 10'000U);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 10'000U);
  EXPECT_EQ(client.next()["cmd"], "info");  // pipelined requests are answered in order
}

TEST_F(Api, ASlowReaderHoldsNobodyUp) {
  start(2, 5'000);
  Raw slow(path_);
  ASSERT_TRUE(slow.send(std::string(kSessions) + "\n"));
  Raw quick(path_);
  ASSERT_TRUE(quick.send(std::string(kSessions) + "\n"));
  EXPECT_EQ(read_listing(quick).size(), 10'000U);
  EXPECT_EQ(quick.ask(kInfo)["cmd"], "info");
  EXPECT_EQ(read_listing(slow).size(), 10'000U);
}

TEST_F(Api, AllClientsListAtOnce) {
  start(2, 300);
  std::vector<std::unique_ptr<Raw>> clients;
  for (std::size_t i = 0; i < ApiServer::kMaxClients; ++i) {
    clients.push_back(std::make_unique<Raw>(path_));
    ASSERT_TRUE(clients.back()->send(std::string(kSessions) + "\n"));
  }
  for (auto& c : clients) EXPECT_EQ(read_listing(*c).size(), 600U);
}

TEST_F(Api, RefusesMoreClientsThanItsBound) {
  start(1, 1);
  std::vector<std::unique_ptr<Raw>> clients;
  for (std::size_t i = 0; i < ApiServer::kMaxClients; ++i) {
    clients.push_back(std::make_unique<Raw>(path_));
    ASSERT_EQ(clients.back()->ask(kInfo)["cmd"], "info");
  }
  Raw one_more(path_);
  EXPECT_EQ(one_more.next()["error"]["code"], "busy");
  EXPECT_TRUE(one_more.next().is_discarded());
  EXPECT_EQ(clients[0]->ask(kInfo)["cmd"], "info");
}

TEST_F(Api, ClientsThatLeaveInTheMiddleFreeTheWorkers) {
  start(2, 5'000);
  for (int i = 0; i < 50; ++i) {
    Raw client(path_);
    ASSERT_TRUE(client.send(std::string(kSessions) + "\n"));
    if (i % 2 == 0) client.next();
  }
  Raw client(path_);
  ASSERT_TRUE(client.send(std::string(kSessions) + "\n"));
  EXPECT_EQ(read_listing(client).size(), 10'000U);
}

TEST_F(Api, NonsenseGetsAnErrorAndTheConnectionGoesOn) {
  start(1, 1);
  Raw c(path_);
  EXPECT_EQ(c.error_code("hello"), "bad_request");
  EXPECT_EQ(c.error_code("[1,2]"), "bad_request");
  EXPECT_EQ(c.error_code("{\"v\":1}"), "bad_request");
  EXPECT_EQ(c.error_code(R"({"cmd":"info"})"), "bad_version");
  EXPECT_EQ(c.error_code(R"({"v":2,"cmd":"info"})"), "bad_version");
  EXPECT_EQ(c.error_code(R"({"v":1,"cmd":7})"), "bad_request");
  EXPECT_EQ(c.error_code(R"({"v":1,"cmd":"reboot"})"), "unknown_command");
  EXPECT_EQ(c.error_code("{\"v\":1,\"cmd\":\"\xc3\xa4\xff\"}"), "bad_request");
  EXPECT_EQ(c.error_code(R"({"v":1,"cmd":"\u00e4)" + std::string(39, 'a') + "\\u00e4\"}"), "unknown_command");
  EXPECT_EQ(c.error_code(std::string(60'000, '[')), "bad_request");
  EXPECT_EQ(c.error_code(std::string("\0\x01\x02", 3)), "bad_request");
  EXPECT_EQ(c.ask(std::string("\n \n") + kInfo)["cmd"], "info");  // blank lines are nothing
}

TEST_F(Api, AnOverlongLineIsThrownAwayUpToItsEnd) {
  start(1, 1);
  Raw c(path_);
  ASSERT_TRUE(c.send(std::string(1 << 20, 'x')));
  EXPECT_EQ(c.next()["error"]["code"], "line_too_long");
  EXPECT_EQ(c.ask(std::string("y\n") + kInfo)["cmd"], "info");
  const std::string pad(ApiServer::kMaxLine - std::string(kInfo).size() - 1, ' ');
  EXPECT_EQ(c.ask(pad + kInfo)["cmd"], "info");
}

TEST_F(Api, AnEndlessLineEndsTheConnection) {
  start(1, 1);
  Raw c(path_);
  const std::string chunk(1 << 20, 'x');
  std::size_t taken = 0;
  while (taken < 4 * ApiServer::kMaxSkipped && c.send(chunk)) taken += chunk.size();
  EXPECT_GE(taken, ApiServer::kMaxSkipped);
  EXPECT_LT(taken, 2 * ApiServer::kMaxSkipped);
  EXPECT_EQ(Raw(path_).ask(kInfo)["cmd"], "info");
}

TEST_F(Api, AnswersAClientThatHasFinishedSending) {
  start(1, 100);
  Raw c(path_);
  ASSERT_TRUE(c.send(std::string(kInfo) + "\n" + kSessions + "\n{\"v\":1,"));
  c.finish();
  EXPECT_EQ(c.next()["cmd"], "info");
  EXPECT_EQ(read_listing(c).size(), 100U);
  EXPECT_TRUE(c.next().is_discarded());
}

TEST_F(Api, AStalledWorkerIsNamedAndLaterServedAgain) {
  start(1, 100, {.idle = std::chrono::seconds(30), .worker = std::chrono::milliseconds(1)});
  source_->set_mute(true);
  Raw c(path_);
  const auto error = c.ask(kSessions)["error"];
  EXPECT_EQ(error["code"], "worker_stalled");
  EXPECT_THAT(error["text"].get<std::string>(), HasSubstr("worker 0"));
  EXPECT_EQ(c.error_code(kSessions), "worker_stalled");  // its mailbox still holds the first request
  source_->set_mute(false);
  json answer;
  for (int i = 0; i < 10'000; ++i) {  // until the worker has taken the old request
    answer = c.ask(kSessions);
    if (!answer.contains("error")) break;
  }
  EXPECT_FALSE(answer.contains("error"));
}

TEST_F(Api, AStoppedWorkerIsNamed) {
  start(1, 100);
  source_->set_stopped();
  Raw c(path_);
  EXPECT_EQ(c.error_code(kSessions), "worker_stopped");
  EXPECT_EQ(c.ask(kInfo)["cmd"], "info");
}

TEST_F(Api, ASilentClientIsClosed) {
  start(1, 1, {.idle = std::chrono::milliseconds(1), .worker = std::chrono::seconds(2)});
  Raw c(path_);
  ASSERT_TRUE(c.connected());
  EXPECT_TRUE(c.next().is_discarded());
}

TEST_F(Api, StopsWhileAWorkerHoldsARequest) {
  start(1, 100);
  source_->set_mute(true);
  Raw c(path_);
  ASSERT_TRUE(c.send(std::string(kSessions) + "\n"));
  EXPECT_EQ(Raw(path_).ask(kInfo)["cmd"], "info");  // by now the request is posted
  server_->stop();
  source_->set_mute(false);  // the worker now writes into memory that must still be there
  EXPECT_FALSE(std::filesystem::exists(path_));
  server_->stop();
}

TEST_F(Api, TheSocketIsForItsOwnerOnly) {
  start(1, 1);
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  const pid_t child = fork();
  if (child == 0) {
    const bool other = setuid(65534) == 0;
    _exit(other && Raw(path_).next()["error"]["code"] == "forbidden" ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(Api, ReplacesAStaleSocketButNoLivingOneAndNoFile) {
  start(1, 1);
  ApiServer second(appliance_.sources, *source_);
  EXPECT_THAT(second.start(path_).value_or(""), HasSubstr("is served by another process"));
  server_->stop();
  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path_.copy(at.sun_path, sizeof at.sun_path - 1);
  ASSERT_EQ(bind(stale, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  close(stale);
  EXPECT_EQ(second.start(path_), std::nullopt);
  EXPECT_EQ(Raw(path_).ask(kInfo)["cmd"], "info");
  second.stop();
  std::ofstream(path_) << "precious";
  EXPECT_THAT(second.start(path_).value_or(""), HasSubstr("exists and is no socket"));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

// What `braidctl` prints, by way of a file.
struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};
Ran run_tool(const braidctl::Options& options) {
  Ran ran;
  std::FILE* out = std::tmpfile();
  std::FILE* err = std::tmpfile();
  ran.code = braidctl::run(options, out, err);
  for (auto [file, text] : {std::pair{out, &ran.out}, std::pair{err, &ran.err}}) {
    std::rewind(file);
    for (int c = 0; (c = std::fgetc(file)) != EOF;) *text += static_cast<char>(c);
    std::fclose(file);
  }
  return ran;
}

TEST_F(Api, TheToolPrintsTablesAndJson) {
  start(2, 100);
  const auto text = run_tool({path_, "sessions", false, false});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 1 + 200 * 4);
  const auto listing = json::parse(run_tool({path_, "sessions", true, false}).out);
  EXPECT_EQ(listing["sessions"].size(), 200U);
  EXPECT_EQ(listing["total"], 200);
  EXPECT_EQ(listing["complete"], true);
  EXPECT_EQ(json::parse(run_tool({path_, "info", true, false}).out)["version"], "0.1.0");
  EXPECT_TRUE(json::parse(run_tool({path_, "stats", true, false}).out)["stats"].is_array());
  EXPECT_TRUE(json::parse(run_tool({path_, "drops", true, false}).out)["drops"].is_array());
  EXPECT_THAT(run_tool({path_, "info", false, false}).out, HasSubstr("Braid 0.1.0, DPDK 22.11"));
  EXPECT_THAT(run_tool({path_, "drops", false, true}).out, HasSubstr("neighbour_queue"));
}

TEST_F(Api, TheToolEndsWellWhenItsReaderLeaves) {
  start(2, 2'000);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  std::FILE* closed = fdopen(ends[1], "w");
  std::FILE* full = std::fopen("/dev/full", "w");
  std::FILE* err = std::tmpfile();
  EXPECT_EQ(braidctl::run({path_, "sessions", false, false}, closed, err), 0);
  EXPECT_EQ(std::ftell(err), 0);
  EXPECT_EQ(braidctl::run({path_, "sessions", false, false}, full, err), 74);
  EXPECT_GT(std::ftell(err), 0);
  for (auto* file : {closed, full, err}) std::fclose(file);
  std::signal(SIGPIPE, before);
}

TEST_F(Api, TheToolSaysWhatIsWrong) {
  const auto missing = run_tool({path_, "info", false, false});
  EXPECT_EQ(missing.code, 69);
  EXPECT_THAT(missing.err,
              HasSubstr("cannot reach braidd at " + path_ + ": No such file or directory; does braidd run"));
  start(1, 100);
  source_->set_stopped();
  const auto failed = run_tool({path_, "sessions", true, false});
  EXPECT_EQ(failed.code, 76);
  EXPECT_THAT(failed.err, HasSubstr("worker 0 does not run"));
  EXPECT_EQ(json::parse(failed.out)["complete"], false);
}

}  // namespace
}  // namespace braid::control
