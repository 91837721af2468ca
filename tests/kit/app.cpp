#include "kit/app.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "kit/packet.hpp"
#include "wire/checksum.hpp"

namespace braid::kit {

namespace {
std::uint64_t word(std::uint64_t key, std::uint64_t index) {
  std::uint64_t z = (key << 32 ^ index) * 0x9e3779b97f4a7c15ULL + key;
  z = (z ^ (z >> 29)) * 0xbf58476d1ce4e5b9ULL;
  return z ^ (z >> 32);
}
}  // namespace

void pattern(std::uint64_t key, std::uint64_t offset, ByteSpan out) {
  for (std::size_t i = 0; i < out.size();) {
    const std::uint64_t at = offset + i;
    const std::uint64_t w = word(key, at / 8);
    const std::size_t skip = at % 8;
    const std::size_t n = std::min<std::size_t>(8 - skip, out.size() - i);
    std::memcpy(out.data() + i, reinterpret_cast<const std::byte*>(&w) + skip, n);
    i += n;
  }
}

App::App(tcp::Stream& stream, const Plan& plan, Instant now)
    : stream_(&stream), plan_(plan), began_(now), last_byte_at_(now) {
  stream.user = this;
}

void App::touch(tcp::Context&) { dirty_ = true; }

void App::run(tcp::Context& ctx) {
  dirty_ = false;
  if (wake_at_ <= ctx.now) wake_at_ = kNever;
  if (stream_ == nullptr) return;
  if (stream_->state() == tcp::StreamState::failed) return let_go(ctx);
  if (stream_->state() == tcp::StreamState::opening) return;
  opened_ = true;
  read(ctx);
  if (stream_ != nullptr) write(ctx);
  if (stream_ == nullptr) return;
  if (received_ >= plan_.abort_after_received || written_ >= plan_.abort_after_sent ||
      (saw_fin_ && plan_.abort_on_fin))
    return abort(ctx);
  if (saw_fin_ && finished_ && stream_->our_end_acknowledged()) {
    clean_ = true;
    let_go(ctx);
  }
}

void App::abort(tcp::Context& ctx) {
  if (stream_ == nullptr) return;
  stream_->abort(ctx);
  let_go(ctx);
}

void App::let_go(tcp::Context& ctx) {
  if (stream_->state() == tcp::StreamState::failed) failure_ = stream_->failure();
  tcp::Stream* s = std::exchange(stream_, nullptr);
  s->release(ctx);
}

void App::check(const tcp::Segment& s) {
  std::array<std::byte, 2048> want;
  auto& segment = const_cast<tcp::Segment&>(s);
  for (std::uint32_t done = 0; done < s.length;) {
    const auto n = std::min<std::uint32_t>(s.length - done, want.size());
    pattern(plan_.expect_key, received_ + done, {want.data(), n});
    const std::byte* got = tcp::payload_of(segment) + done;
    if (wrong_at_ == kNoLimit && std::memcmp(got, want.data(), n) != 0) {
      std::uint32_t i = 0;
      while (got[i] == want[i]) ++i;
      wrong_at_ = received_ + done + i;
    }
    if (plan_.altered) check_altered({got, n}, received_ + done, {want.data(), n});
    done += n;
  }
  // The sum that travels with a segment must be that of its bytes.
  if (wire::fold(s.sum) % 0xffff != wire::ones_sum({tcp::payload_of(segment), s.length}) % 0xffff)
    wrong_at_ = std::min(wrong_at_, received_);
}

void App::check_altered(ByteView got, std::uint64_t offset, ByteView want) {
  Packet altered(got.size());
  plan_.altered(offset, altered);
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] == altered[i]) continue;
    unaltered_at_ = std::min(unaltered_at_, offset + i);
    if (got[i] != want[i]) foreign_at_ = std::min(foreign_at_, offset + i);
  }
}

void App::read(tcp::Context& ctx) {
  tcp::SegmentQueue& inbox = stream_->inbox();
  std::uint32_t taken = 0;
  tcp::SegmentQueue back;
  while (tcp::Segment* s = inbox.front()) {
    if (received_ >= plan_.stop_reading_at) break;
    if (plan_.read_rate > 0) {
      const auto earned = static_cast<double>((ctx.now - began_).count()) * 1e-9 * plan_.read_rate;
      if (static_cast<double>(received_) > earned) {
        const double wait = (static_cast<double>(received_) - earned) / plan_.read_rate;
        wake_at_ = ctx.now + Duration(static_cast<std::int64_t>(wait * 1e9) + 1);
        break;
      }
    }
    inbox.pop_front();
    check(*s);
    received_ += s->length;
    taken += s->length;
    longest_gap_ = std::max(longest_gap_, ctx.now - last_byte_at_);
    last_byte_at_ = ctx.now;
    if (plan_.echo) {
      written_ += s->length;
      back.push_back(*s);
    } else {
      tcp::free_segment(*s);
    }
  }
  if (plan_.echo) {
    if (!back.empty()) stream_->write(ctx, back);
  } else if (taken != 0) {
    stream_->consume(ctx, taken);
  }
  if (stream_->peer_finished() && inbox.empty()) saw_fin_ = true;
}

void App::write(tcp::Context& ctx) {
  const std::uint32_t freed = stream_->take_freed();
  if (plan_.echo) {
    if (freed != 0) stream_->consume(ctx, freed);
    if (saw_fin_ && !finished_) {
      finished_ = true;
      stream_->shutdown(ctx);
    }
    return;
  }
  if (received_ < plan_.send_after) return;
  tcp::SegmentQueue queue;
  std::uint32_t queued = 0;
  constexpr std::uint32_t kMostPieces =
      2000;  // one pool serves the whole world: a program must not take all of it
  const std::uint32_t ahead =
      plan_.piece == 0 ? plan_.ahead : std::min(plan_.ahead, kMostPieces * plan_.piece);
  while (written_ < plan_.send && stream_->unfreed() + queued < ahead) {
    rte_mbuf* m = rte_pktmbuf_alloc(ctx.buffers);
    if (m == nullptr) {
      wake_at_ = ctx.now + std::chrono::milliseconds(10);
      break;
    }
    const std::uint16_t room = plan_.piece != 0 ? plan_.piece : stream_->segment_room();
    tcp::Segment& s = tcp::segment_of(m);
    s = tcp::Segment{};
    s.payload_offset = static_cast<std::uint16_t>(m->data_off + wire::kMaxHeaders - 64);
    s.length = static_cast<std::uint16_t>(std::min<std::uint64_t>(room, plan_.send - written_));
    pattern(plan_.send_key, written_, {tcp::payload_of(s), s.length});
    s.sum = wire::ones_sum({tcp::payload_of(s), s.length});
    written_ += s.length;
    queued += s.length;
    queue.push_back(s);
  }
  if (!queue.empty()) stream_->write(ctx, queue);
  if (plan_.finish && !finished_ && written_ >= plan_.send && (saw_fin_ || !plan_.finish_after_peer)) {
    finished_ = true;
    stream_->shutdown(ctx);
  }
}

}  // namespace braid::kit
