// How many connections there are, in all and by address, over all workers of a box: each worker has its own row of
// shared memory, so that what a dead one counted goes with its row.
#pragma once

#include <atomic>
#include <cstring>
#include <span>
#include <stdexcept>

#include "grants.h"

namespace nearcast {

class Caps {
 public:
  // Memory for a row of each worker, which the caller keeps. This one's starts at zero.
  Caps(std::span<uint32_t> memory, size_t worker) : memory_(memory), worker_(worker) {
    if (memory.size() % rowCounts != 0 || worker >= memory.size() / rowCounts)
      throw std::invalid_argument("there is no row for this worker");
    for (size_t place = 0; place < rowCounts; place++)
      if (const uint32_t left = of(worker_, place).load(relaxed); left != 0) of(worker_, place).store(0, relaxed);
  }
  Caps(const Caps&) = delete;

  // IPv6 counts by /64, and addresses share a slot where their hashes meet: the bound is then met a little early.
  static uint32_t slotOf(const Address& address) {
    constexpr uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint64_t key = 0;
    const bool isIpv4 = memcmp(address.data(), mapped, sizeof mapped) == 0;
    memcpy(&key, address.data() + (isIpv4 ? 8 : 0), sizeof key);
    return static_cast<uint32_t>((key * 0x9e3779b97f4a7c15u) >> 50);
  }
  void add(uint32_t slot, int by) {
    for (const size_t place : {size_t{0}, firstSlot + slot})
      of(worker_, place).fetch_add(static_cast<uint32_t>(by), relaxed);
  }
  uint32_t total() const { return sum(0); }
  uint32_t at(uint32_t slot) const { return sum(firstSlot + slot); }

 private:
  static constexpr auto relaxed = std::memory_order_relaxed;
  static constexpr size_t firstSlot = 16;  // the total stands before, on a line of its own
  static constexpr size_t rowCounts = 16384 + firstSlot;

  std::atomic_ref<uint32_t> of(size_t worker, size_t place) const {
    return std::atomic_ref<uint32_t>(memory_[rowCounts * worker + place]);
  }
  uint32_t sum(size_t place) const {
    uint32_t sum = 0;
    for (size_t worker = 0; worker < memory_.size() / rowCounts; worker++) sum += of(worker, place).load(relaxed);
    return sum;
  }

  const std::span<uint32_t> memory_;
  const size_t worker_;
};

}  // namespace nearcast
