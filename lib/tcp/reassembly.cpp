#include "tcp/reassembly.hpp"

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
}  // namespace

Reassembly::Reassembly(Space space) : head_{}, space_(space) { Tree::init_header(&head_); }

Segment* Reassembly::front() const { return pieces_ == 0 ? nullptr : segment(head_.left); }

void Reassembly::pop(Segment& s) {
  Tree::erase(&head_, &s);
  bytes_ -= s.length;
  --pieces_;
  if (recent_ == &s) recent_ = nullptr;
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
      recent_ = segment(below);
      free_segment(s);
      return 0;
    }
    if (overlap > 0) trim_front(s, static_cast<std::uint16_t>(overlap));
  }
  if (above != end) {
    const std::int64_t gap = order(*segment(above), s);
    if (gap <= 0) {
      recent_ = segment(above);
      free_segment(s);
      return 0;
    }
    if (gap < s.length) trim_back(s, static_cast<std::uint16_t>(gap));
  }
  Tree::insert_before(end, above, &s);
  bytes_ += s.length;
  ++pieces_;
  recent_ = &s;
  return s.length;
}

wire::SackBlock Reassembly::run_around(Segment& s) const {
  wire::SackBlock run{s.seq, s.end()};
  for (Links* n = &s; n != head_.left;) {
    n = Tree::prev_node(n);
    if (segment(n)->end() != run.begin) break;
    run.begin = segment(n)->seq;
  }
  for (Links* n = &s; n != head_.right;) {
    n = Tree::next_node(n);
    if (segment(n)->seq != run.end) break;
    run.end = segment(n)->end();
  }
  return run;
}

unsigned Reassembly::runs(wire::SackBlock* out, unsigned max) const {
  if (pieces_ == 0 || max == 0) return 0;
  unsigned n = 0;
  if (recent_ != nullptr) out[n++] = run_around(*recent_);
  for (Segment* s = segment(head_.right); n < max;) {
    const wire::SackBlock run = run_around(*s);
    if (n == 0 || run.begin != out[0].begin) out[n++] = run;
    Links* low = s;
    while (low != head_.left && segment(low)->seq != run.begin) low = Tree::prev_node(low);
    if (low == head_.left) break;
    s = segment(Tree::prev_node(low));
  }
  return n;
}

}  // namespace braid::tcp
