// How many connections there are, in all and by address, over all workers of a box: each worker has its own row of
// shared memory, so that what a dead one counted goes with its row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "grants.h"

namespace nearcast {

class Caps {
 public:
  // Memory for so many workers, as a descriptor to be inherited; -1 with errno.
  static int make(unsigned workers);
  // `fd` from `make`, or -1 for one process alone. The row starts at zero.
  Caps(int fd, unsigned workers, unsigned worker);
  ~Caps();
  Caps(const Caps&) = delete;
  Caps& operator=(const Caps&) = delete;

  // IPv6 counts by /64, and addresses share a slot where their hashes meet: the bound is then met a little early.
  static uint32_t slotOf(const Address& address);
  void add(uint32_t slot, int by);
  uint32_t total() const;
  uint32_t at(uint32_t slot) const;

 private:
  uint32_t* row(unsigned worker) const;
  uint32_t* memory_;
  unsigned workers_;
  unsigned worker_;
};

}  // namespace nearcast
