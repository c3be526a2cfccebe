#include "caps.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "descriptor.h"

namespace nearcast {
namespace {

std::atomic_ref<uint32_t> shared(uint32_t& count) { return std::atomic_ref<uint32_t>(count); }

}  // namespace

Caps::Caps(int fd, unsigned workers, unsigned worker) : workers_(std::max(1u, workers)), worker_(worker) {
  const size_t bytes = rowCounts * sizeof(uint32_t) * workers_;
  if (fd >= 0) checked(ftruncate(fd, static_cast<off_t>(bytes)));
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  checked(memory == MAP_FAILED ? -1 : 0);
  memory_ = static_cast<uint32_t*>(memory);
  for (size_t i = 0; i < rowCounts; i++)
    if (uint32_t& count = memory_[rowCounts * worker_ + i]; count != 0) shared(count).store(0, std::memory_order_relaxed);
}

Caps::~Caps() { munmap(memory_, rowCounts * sizeof(uint32_t) * workers_); }

uint32_t Caps::slotOf(const Address& address) {
  constexpr uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  uint64_t key = 0;
  const bool isIpv4 = memcmp(address.data(), mapped, sizeof mapped) == 0;
  memcpy(&key, address.data() + (isIpv4 ? 8 : 0), sizeof key);
  return static_cast<uint32_t>((key * 0x9e3779b97f4a7c15u) >> 50);
}

void Caps::add(uint32_t slot, int by) {
  for (const size_t place : {size_t{0}, firstSlot + slot})
    shared(memory_[rowCounts * worker_ + place]).fetch_add(static_cast<uint32_t>(by), std::memory_order_relaxed);
}

uint32_t Caps::sum(size_t place) const {
  uint32_t sum = 0;
  for (unsigned each = 0; each < workers_; each++)
    sum += shared(memory_[rowCounts * each + place]).load(std::memory_order_relaxed);
  return sum;
}

}  // namespace nearcast
