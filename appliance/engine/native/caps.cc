#include "caps.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

namespace nearcast {
namespace {

constexpr size_t slotCount = 16384;
constexpr size_t rowCounts = slotCount + 16;  // the total first, on a line of its own
constexpr size_t bytesOf(unsigned workers) { return rowCounts * sizeof(uint32_t) * workers; }

std::atomic_ref<uint32_t> shared(uint32_t* count) { return std::atomic_ref<uint32_t>(*count); }

}  // namespace

int Caps::make(unsigned workers) {
  const int fd = memfd_create("nearcast-caps", MFD_CLOEXEC);
  if (fd >= 0 && ftruncate(fd, static_cast<off_t>(bytesOf(workers))) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

Caps::Caps(int fd, unsigned workers, unsigned worker) : workers_(std::max(1u, workers)), worker_(worker) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* memory = mmap(nullptr, bytesOf(workers_), PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<uint32_t*>(memory);
  for (size_t i = 0; i < rowCounts; i++)
    if (row(worker_)[i] != 0) shared(&row(worker_)[i]).store(0, std::memory_order_relaxed);
}

Caps::~Caps() { munmap(memory_, bytesOf(workers_)); }

uint32_t* Caps::row(unsigned worker) const { return memory_ + rowCounts * worker; }

uint32_t Caps::slotOf(const Address& address) {
  constexpr uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  uint64_t key = 0;
  const bool isIpv4 = memcmp(address.data(), mapped, sizeof mapped) == 0;
  memcpy(&key, address.data() + (isIpv4 ? 8 : 0), sizeof key);
  return static_cast<uint32_t>((key * 0x9e3779b97f4a7c15u) >> 50);
}

void Caps::add(uint32_t slot, int by) {
  shared(row(worker_)).fetch_add(static_cast<uint32_t>(by), std::memory_order_relaxed);
  shared(row(worker_) + 16 + slot).fetch_add(static_cast<uint32_t>(by), std::memory_order_relaxed);
}

uint32_t Caps::total() const {
  uint32_t sum = 0;
  for (unsigned each = 0; each < workers_; each++) sum += shared(row(each)).load(std::memory_order_relaxed);
  return sum;
}

uint32_t Caps::at(uint32_t slot) const {
  uint32_t sum = 0;
  for (unsigned each = 0; each < workers_; each++) sum += shared(row(each) + 16 + slot).load(std::memory_order_relaxed);
  return sum;
}

}  // namespace nearcast
