// What the parts of a segment's way cost on their own. The figures are of hot caches and well-predicted
// branches: lower bounds, good for comparing one version of a part with another.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "base/random.hpp"
#include "base/timer_wheel.hpp"
#include "engine/hash_index.hpp"
#include "mptcp/crypto.hpp"
#include "wire/checksum.hpp"
#include "wire/frame.hpp"

namespace braid {
namespace {

constexpr std::size_t kPayload = 1428;
const Flow kFlow{{Ip::v4(0xc6120001), 80}, {Ip::v4(0xc6130001), 40000}};
const Flow kFlow6{{Ip::v6(0x20010db800000000ULL, 1), 80}, {Ip::v6(0x20010db800000000ULL, 2), 40000}};

// A frame as Braid sends it: timestamps, DSS with DATA_ACK and, where there is payload, a mapping.
struct Frame {
  std::array<std::byte, 2048> bytes{};
  std::byte* const payload = bytes.data() + 256;
  std::size_t headers = 0;
  wire::FrameOut out;
  wire::OptionBuffer options;

  Frame(const Flow& flow, std::size_t length) {
    out.flow = flow;
    out.seq = SubSeq(1000);
    out.ack = SubSeq(2000);
    out.flags = wire::kAck;
    out.payload_length = static_cast<std::uint16_t>(length);
    out.payload_sum = wire::ones_sum({payload, length});
    options.timestamps(1, 2);
    options.dss({.has_ack = true, .has_map = length != 0, .length = out.payload_length});
    headers = wire::write_headers(payload, out, options.padded(), wire::ChecksumMode::full);
  }
  [[nodiscard]] ByteView view() const { return {payload - headers, headers + out.payload_length}; }
};

void checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  for (auto _ : state) benchmark::DoNotOptimize(wire::ones_sum(bytes));
}
BENCHMARK(checksum)->Arg(40)->Arg(kPayload);

void parse(benchmark::State& state, const Flow& flow, std::size_t length, wire::Trust trust) {
  const Frame frame(flow, length);
  wire::TcpFrame out;
  for (auto _ : state) {
    if (wire::parse_frame(frame.view(), trust, out) != wire::FrameKind::tcp)
      state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK_CAPTURE(parse, data_v4, kFlow, kPayload, wire::Trust::verify);
BENCHMARK_CAPTURE(parse, data_v4_offload, kFlow, kPayload, wire::Trust::checksum_good);
BENCHMARK_CAPTURE(parse, data_v6, kFlow6, kPayload, wire::Trust::verify);
BENCHMARK_CAPTURE(parse, ack_v4, kFlow, 0, wire::Trust::verify);

void parse_options(benchmark::State& state) {
  Frame frame(kFlow, kPayload);
  const ByteView options = frame.options.padded();
  wire::TcpOptions out;
  for (auto _ : state) {
    wire::parse_tcp_options(options, wire::kAck, kPayload, out);
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(parse_options);

void write_headers(benchmark::State& state, const Flow& flow, wire::ChecksumMode mode) {
  Frame frame(flow, kPayload);
  for (auto _ : state)
    benchmark::DoNotOptimize(wire::write_headers(frame.payload, frame.out, frame.options.padded(), mode));
}
BENCHMARK_CAPTURE(write_headers, v4, kFlow, wire::ChecksumMode::full);
BENCHMARK_CAPTURE(write_headers, v4_offload, kFlow, wire::ChecksumMode::offload);
BENCHMARK_CAPTURE(write_headers, v6, kFlow6, wire::ChecksumMode::full);

void flow_hash(benchmark::State& state, const Flow& flow) {
  Flow f = flow;
  for (auto _ : state) {
    benchmark::DoNotOptimize(f);
    benchmark::DoNotOptimize(siphash({1, 2}, f));
  }
}
BENCHMARK_CAPTURE(flow_hash, v4, kFlow);
BENCHMARK_CAPTURE(flow_hash, v6, kFlow6);

// Random hits in a table that is as full as the engine lets it become.
void index_find(benchmark::State& state) {
  const auto entries = static_cast<std::uint32_t>(state.range(0));
  engine::HashIndex index(entries);
  std::vector<std::uint32_t> hashes(entries);
  Rng rng(1);
  for (std::uint32_t i = 0; i < entries; ++i) index.insert(hashes[i] = rng.next32(), i);
  for (auto _ : state) {
    const std::uint32_t hash = hashes[rng.below(entries)];
    benchmark::DoNotOptimize(index.find(hash, [](std::uint32_t) { return true; }));
  }
}
BENCHMARK(index_find)->Arg(1 << 10)->Arg(1 << 16)->Arg(1 << 20);

void token_of_key(benchmark::State& state) {
  std::uint64_t key = 1;
  for (auto _ : state) benchmark::DoNotOptimize(mptcp::hash_key(key++));
}
BENCHMARK(token_of_key);

void join_hmac(benchmark::State& state) {
  mptcp::JoinSecrets s{1, 2, 3, 4};
  for (auto _ : state) {
    ++s.sender_nonce;
    benchmark::DoNotOptimize(mptcp::join_hmac(s));
  }
}
BENCHMARK(join_hmac);

// Postponing an alarm of many: what a retransmission timer would cost without lazy filing.
void wheel_arm(benchmark::State& state) {
  TimerWheel wheel;
  std::vector<Alarm> alarms(static_cast<std::size_t>(state.range(0)));
  Rng rng(1);
  for (auto _ : state) {
    Alarm& alarm = alarms[rng.below(static_cast<std::uint32_t>(alarms.size()))];
    wheel.arm(alarm, Instant{std::chrono::microseconds(rng.below(10'000'000))});
  }
  for (Alarm& alarm : alarms) TimerWheel::cancel(alarm);
}
BENCHMARK(wheel_arm)->Arg(1 << 10)->Arg(1 << 20);

// A wheel on which one alarm in a thousand is due each time.
void wheel_advance(benchmark::State& state) {
  TimerWheel wheel;
  std::vector<Alarm> alarms(1000);
  Instant now{};
  const auto step = std::chrono::microseconds(300);
  for (std::size_t i = 0; i < alarms.size(); ++i) wheel.arm(alarms[i], now + i * step);
  for (auto _ : state) {
    now += step;
    wheel.advance(now, 256, [&](Alarm& alarm) { wheel.arm(alarm, now + 1000 * step); });
  }
  for (Alarm& alarm : alarms) TimerWheel::cancel(alarm);
}
BENCHMARK(wheel_advance);

}  // namespace
}  // namespace braid

BENCHMARK_MAIN();
