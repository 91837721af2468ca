#include "tcp/congestion.hpp"

#include <algorithm>
#include <cmath>

namespace braid::tcp {

namespace {

// Slow start (RFC 5681 3.1 with appropriate byte counting, RFC 3465 L=2 per segment acknowledged). Returns
// the bytes left over for congestion avoidance.
std::uint32_t slow_start(CongestionState& s, std::uint32_t acked) {
  if (s.cwnd >= s.ssthresh) return acked;
  const std::uint32_t grow = std::min(acked, s.ssthresh - s.cwnd);
  s.cwnd += grow;
  return acked - grow;
}

class NewReno final : public CongestionControl {
 public:
  void on_ack(CongestionState& s, Growth& g, const CongestionView& v, std::uint32_t acked) const override {
    if (!v.cwnd_limited) return;
    acked = slow_start(s, acked);
    if (acked == 0) return;
    g.acked += acked;
    if (g.acked >= s.cwnd) {
      g.acked -= s.cwnd;
      s.cwnd += v.mss;
    }
  }
  void on_loss(CongestionState& s, Growth& g, const CongestionView& v) const override {
    s.ssthresh = std::max(std::min(v.in_flight, s.cwnd) / 2, 2 * v.mss);  // RFC 5681 (4)
    s.cwnd = s.ssthresh;
    g.acked = 0;
  }
  void on_timeout(CongestionState& s, Growth& g, const CongestionView& v) const override {
    s.ssthresh = std::max(std::min(v.in_flight, s.cwnd) / 2, 2 * v.mss);
    s.cwnd = v.mss;
    g.acked = 0;
  }
};

// RFC 9438. While the application, not the window, holds the sender back the curve stands still: the next
// epoch begins at the window reached.
class Cubic final : public CongestionControl {
  static constexpr float kC = 0.4F;
  static constexpr float kBeta = 0.7F;
  static constexpr float kAlpha = 3 * (1 - kBeta) / (1 + kBeta);

 public:
  void on_ack(CongestionState& s, Growth& g, const CongestionView& v, std::uint32_t acked) const override {
    if (!v.cwnd_limited) {
      g.epoch_us = 0;
      return;
    }
    acked = slow_start(s, acked);
    if (acked == 0) return;
    const auto mss = static_cast<float>(v.mss);
    const float cwnd = static_cast<float>(s.cwnd) / mss;
    if (g.epoch_us == 0) begin_epoch(g, v, cwnd);
    const float t = static_cast<float>(micros(v.now) - g.epoch_us) * 1e-6F;
    const float rtt = static_cast<float>(v.srtt_us) * 1e-6F;
    const float target = std::clamp(curve(g, t + rtt), cwnd, 1.5F * cwnd);  // 4.2
    const float share = static_cast<float>(acked) / static_cast<float>(s.cwnd);
    g.w_est += (g.w_est < g.w_max ? kAlpha : 1.0F) * share;  // 4.3
    float next = cwnd + (target - cwnd) * share;             // 4.4, 4.5
    if (curve(g, t) < g.w_est) next = std::max(next, g.w_est);
    s.cwnd = static_cast<std::uint32_t>(next * mss);
  }
  void on_loss(CongestionState& s, Growth& g, const CongestionView& v) const override {
    const float cwnd = static_cast<float>(s.cwnd) / static_cast<float>(v.mss);
    g.w_max = cwnd < g.w_max ? cwnd * (1 + kBeta) / 2 : cwnd;  // 4.7 fast convergence
    s.ssthresh = std::max(static_cast<std::uint32_t>(static_cast<float>(s.cwnd) * kBeta), 2 * v.mss);
    s.cwnd = s.ssthresh;
    g.epoch_us = 0;
  }
  void on_timeout(CongestionState& s, Growth& g, const CongestionView& v) const override {
    on_loss(s, g, v);
    s.cwnd = v.mss;
  }

 private:
  static float curve(const Growth& g, float t) {
    const float d = t - g.k;
    return kC * d * d * d + g.w_max;
  }
  static void begin_epoch(Growth& g, const CongestionView& v, float cwnd) {
    g.epoch_us = std::max(micros(v.now), 1U);
    if (g.w_max < cwnd) g.w_max = cwnd;
    g.k = std::cbrt((g.w_max - cwnd) / kC);
    g.w_est = cwnd;
  }
};

}  // namespace

const CongestionControl& congestion_control(CongestionKind kind) {
  static const Cubic cubic;
  static const NewReno newreno;
  if (kind == CongestionKind::newreno) return newreno;
  return cubic;
}

std::uint32_t initial_window(std::uint32_t mss) { return std::min(10 * mss, std::max(2 * mss, 14600U)); }

}  // namespace braid::tcp
