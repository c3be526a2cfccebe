// Memory that disks are read into.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace nearcast {

inline constexpr size_t pageBytes = 4096;
inline constexpr size_t readBytesMax = 1 << 20;

// Buffers that begin and end at pages, in three sizes, each with room for the pages that a range begins and ends in.
class Buffers {
 public:
  explicit Buffers(size_t bytesMax) : bytesMax_(std::max(bytesMax, sizeFor(readBytesMax))) {}
  ~Buffers() {
    while (dropLargest()) continue;
  }
  Buffers(const Buffers&) = delete;

  static size_t sizeFor(size_t bytes) {
    constexpr size_t smallBytes = 64 << 10, middleBytes = 256 << 10;
    return (bytes <= smallBytes ? smallBytes : bytes <= middleBytes ? middleBytes : readBytesMax) + 2 * pageBytes;
  }
  // nullptr when there is no room: there will be when something is given back.
  char* get(size_t size) {
    if (auto idle = idle_.extract(size)) {
      idleBytes_ -= size;
      return idle.mapped();
    }
    while (bytes_ + size > bytesMax_)
      if (!dropLargest()) return nullptr;
    void* const buffer = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) return nullptr;
    bytes_ += size;
    return static_cast<char*>(buffer);
  }
  void giveBack(char* buffer, size_t size) {
    constexpr size_t idleBytesMax = 16 << 20;
    idle_.emplace(size, buffer);
    idleBytes_ += size;
    while (idleBytes_ > idleBytesMax) dropLargest();
  }
  bool isAnyLent() const { return bytes_ > idleBytes_; }

 private:
  bool dropLargest() {
    if (idle_.empty()) return false;
    const auto [size, buffer] = *idle_.rbegin();
    munmap(buffer, size);
    idle_.erase(std::prev(idle_.end()));
    idleBytes_ -= size;
    bytes_ -= size;
    return true;
  }

  const size_t bytesMax_;
  size_t bytes_ = 0;  // mapped
  size_t idleBytes_ = 0;
  std::multimap<size_t, char*> idle_;  // by size
};

}  // namespace nearcast
