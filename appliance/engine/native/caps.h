// How many connections there are, in all and by address, over all workers of a box: each worker has its own row of
// shared memory, so that what a dead one counted goes with its row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "grants.h"

namespace nearcast {

class Caps {
 public:
  // `fd` is memory that all workers have, and is as long as it must be; -1 for one process alone. The row starts at zero.
  Caps(int fd, unsigned workers, unsigned worker);
  ~Caps();
  Caps(const Caps&) = delete;

  // IPv6 counts by /64, and addresses share a slot where their hashes meet: the bound is then met a little early.
  static uint32_t slotOf(const Address& address);
  void add(uint32_t slot, int by);
  uint32_t total() const { return sum(0); }
  uint32_t at(uint32_t slot) const { return sum(firstSlot + slot); }

 private:
  static constexpr size_t firstSlot = 16;  // the total stands before, on a line of its own
  static constexpr size_t rowCounts = 16384 + firstSlot;
  uint32_t sum(size_t place) const;
  uint32_t* memory_;
  const unsigned workers_;
  const unsigned worker_;
};

}  // namespace nearcast
