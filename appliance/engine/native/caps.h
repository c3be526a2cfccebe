// How many connections there are, in all and by address, over all workers of a box: each worker has its own row of
// shared memory, so that what a dead one counted goes with its row.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "descriptor.h"
#include "grants.h"

namespace nearcast {

class Caps {
 public:
  // `fd` is memory that all workers have, and is made as long as it must be; 0 for one process alone. The row starts at
  // zero.
  Caps(int fd, uint64_t workers, uint64_t worker) : workers_(std::max<uint64_t>(1, workers)), worker_(worker) {
    if (fd > 0) checked(ftruncate(fd, static_cast<off_t>(bytes())));
    const int flags = fd == 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void* const memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, flags, fd > 0 ? fd : -1, 0);
    checked(memory == MAP_FAILED ? -1 : 0);
    memory_ = static_cast<uint32_t*>(memory);
    for (size_t place = 0; place < rowCounts; place++)
      if (const uint32_t left = of(worker_, place).load(relaxed); left != 0) of(worker_, place).store(0, relaxed);
  }
  ~Caps() { munmap(memory_, bytes()); }
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

  size_t bytes() const { return rowCounts * sizeof(uint32_t) * workers_; }
  std::atomic_ref<uint32_t> of(uint64_t worker, size_t place) const {
    return std::atomic_ref<uint32_t>(memory_[rowCounts * worker + place]);
  }
  uint32_t sum(size_t place) const {
    uint32_t sum = 0;
    for (uint64_t worker = 0; worker < workers_; worker++) sum += of(worker, place).load(relaxed);
    return sum;
  }

  uint32_t* memory_;
  const uint64_t workers_;
  const uint64_t worker_;
};

}  // namespace nearcast
