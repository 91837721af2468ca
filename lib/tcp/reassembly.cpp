#include "tcp/reassembly.hpp"

#include <array>
#include <boost/intrusive/rbtree_algorithms.hpp>

namespace braid::tcp {

namespace {
struct Traits {
  using node = Links;
  using node_ptr = Links*;
  using const_node_ptr = const Links*;
  using color = std::uint8_t;
  static node_ptr get_parent(const_node_ptr n) { return n->parent; }
  static void set_parent(node_ptr n, node_ptr p) { n->parent = p; }
  static node_ptr get_left(const_node_ptr n) { return n->left; }
  static void set_left(node_ptr n, node_ptr p) { n->left = p; }
  static node_ptr get_right(const_node_ptr n) { return n->right; }
  static void set_right(node_ptr n, node_ptr p) { n->right = p; }
  static color get_color(const_node_ptr n) { return n->color; }
  static void set_color(node_ptr n, color c) { n->color = c; }
  static color black() { return 0; }
  static color red() { return 1; }
};
using Tree = boost::intrusive::rbtree_algorithms<Traits>;

Segment* segment(Links* n) { return static_cast<Segment*>(n); }

// Where the run ends of which `s` is the first piece.
SubSeq end_of_run(const Segment& s) { return s.run_edge == s.seq.raw ? s.end() : SubSeq(s.run_edge); }

bool known(const wire::SackBlock& run) { return run.begin != run.end; }
}  // namespace

Reassembly::Reassembly(Space space) : head_{}, space_(space) { Tree::init_header(&head_); }

Segment* Reassembly::front() const { return pieces_ == 0 ? nullptr : segment(head_.left); }

Segment* Reassembly::behind(const Segment& s) const {
  return &s == head_.right ? nullptr : segment(Tree::next_node(const_cast<Segment*>(&s)));
}

void Reassembly::pop(Segment& s) {
  const SubSeq end = end_of_run(s);
  Tree::erase(&head_, &s);
  bytes_ -= s.length;
  --pieces_;
  if (space_ != Space::subflow) return;
  Segment* next = front();
  const bool more = next != nullptr && next->seq == s.end();
  if (more) next->run_edge = next->end() == end ? next->seq.raw : end.raw;
  if (known(recent_) && recent_.begin == s.seq)
    recent_ = more ? wire::SackBlock{next->seq, recent_.end} : wire::SackBlock{};
}

void Reassembly::clear() {
  while (Segment* s = front()) {
    pop(*s);
    free_segment(*s);
  }
}

std::uint32_t Reassembly::insert(Segment& s) {
  const auto less = [this](const Links* a, const Links* b) {
    return order(static_cast<const Segment&>(*a), static_cast<const Segment&>(*b)) < 0;
  };
  Links* const end = &head_;
  // Most arrivals extend the highest run: look there before searching.
  Links* above = end;
  if (pieces_ != 0 && order(s, *segment(head_.right)) < 0) above = Tree::upper_bound(end, &s, less);
  Links* below = nullptr;
  if (pieces_ != 0)
    below = above == end ? head_.right : above == head_.left ? nullptr : Tree::prev_node(above);

  if (below != nullptr) {
    const Segment& low = *segment(below);
    const std::int64_t overlap = low.length - order(s, low);
    if (overlap >= s.length) {
      duplicate_of(s);
      free_segment(s);
      return 0;
    }
    if (overlap > 0) trim_front(s, static_cast<std::uint16_t>(overlap));
  }
  if (above != end) {
    const std::int64_t gap = order(*segment(above), s);
    if (gap <= 0) {
      duplicate_of(s);
      free_segment(s);
      return 0;
    }
    if (gap < s.length) trim_back(s, static_cast<std::uint16_t>(gap));
  }
  Tree::insert_before(end, above, &s);
  bytes_ += s.length;
  ++pieces_;
  if (space_ == Space::subflow) join_runs(s);
  return s.length;
}

// Where the run begins of which `s` is the last piece. Pieces that were taken out are not in it any more.
SubSeq Reassembly::begin_of_run(const Segment& s) const { return later(SubSeq(s.run_edge), front()->seq); }

Segment* Reassembly::first_at_or_after(SubSeq seq) const {
  const auto less = [](const Links* n, SubSeq at) { return before(static_cast<const Segment*>(n)->seq, at); };
  return segment(Tree::lower_bound(&head_, seq, less));
}

// `s`, just inserted, is a run of its own, extends one, or closes the gap between two.
void Reassembly::join_runs(Segment& s) {
  Segment* first = &s;
  Segment* last = &s;
  s.run_edge = s.seq.raw;
  recent_ = {s.seq, s.end()};
  if (&s != head_.left) {
    const Segment& below = *segment(Tree::prev_node(&s));
    if (below.end() == s.seq) {
      recent_.begin = begin_of_run(below);
      first = first_at_or_after(recent_.begin);
    }
  }
  if (&s != head_.right) {
    Segment& above = *segment(Tree::next_node(&s));
    if (above.seq == s.end()) {
      recent_.end = end_of_run(above);
      Segment* behind = first_at_or_after(recent_.end);
      last = behind == &head_ ? segment(head_.right) : segment(Tree::prev_node(behind));
    }
  }
  if (first == last) return;
  first->run_edge = recent_.end.raw;
  last->run_edge = recent_.begin.raw;
}

// The run that holds what came again, if it is among the highest.
void Reassembly::duplicate_of(const Segment& s) {
  if (space_ != Space::subflow) return;
  constexpr unsigned kRuns = 4;
  std::array<wire::SackBlock, kRuns> highest;
  const unsigned n = runs(highest.data(), kRuns);
  for (unsigned i = 0; i < n; ++i)
    if (at_or_before(highest[i].begin, s.seq) && before(s.seq, highest[i].end)) recent_ = highest[i];
}

unsigned Reassembly::runs(wire::SackBlock* out, unsigned max) const {
  if (pieces_ == 0 || max == 0) return 0;
  unsigned n = 0;
  if (known(recent_)) out[n++] = recent_;
  for (Segment* last = segment(head_.right); n < max;) {
    const wire::SackBlock run{begin_of_run(*last), last->end()};
    if (!known(recent_) || run.begin != recent_.begin) out[n++] = run;
    Segment* first = first_at_or_after(run.begin);
    if (first == head_.left) break;
    last = segment(Tree::prev_node(first));
  }
  return n;
}

}  // namespace braid::tcp
