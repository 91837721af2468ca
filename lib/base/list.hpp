// Intrusive doubly linked list: an element embeds a ListHook and is on at most one list per hook.
#pragma once

#include <cstddef>

namespace braid {

struct ListHook {
  ListHook* next = nullptr;
  ListHook* prev = nullptr;

  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;

  [[nodiscard]] bool linked() const { return next != nullptr; }
  void unlink() {
    if (next == nullptr) return;
    prev->next = next;
    next->prev = prev;
    next = prev = nullptr;
  }
};

// T derives from `Hook` (a ListHook or a type derived from it, so one element can be on several lists).
template <class T, class Hook = ListHook>
class List {
 public:
  List() { head_.next = head_.prev = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  [[nodiscard]] bool empty() const { return head_.next == &head_; }
  T* front() { return empty() ? nullptr : owner(head_.next); }

  void push_back(T& element) {
    ListHook& h = static_cast<Hook&>(element);
    h.prev = head_.prev;
    h.next = &head_;
    head_.prev->next = &h;
    head_.prev = &h;
  }

  T* pop_front() {
    if (empty()) return nullptr;
    T* element = owner(head_.next);
    static_cast<Hook&>(*element).unlink();
    return element;
  }

  // Element after `element`, or nullptr at the end.
  T* next(T& element) {
    ListHook* n = static_cast<Hook&>(element).next;
    return n == &head_ ? nullptr : owner(n);
  }

 private:
  static T* owner(ListHook* h) { return static_cast<T*>(static_cast<Hook*>(h)); }
  ListHook head_;
};

}  // namespace braid
