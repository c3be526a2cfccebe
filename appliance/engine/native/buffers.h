// Memory that disks are read into.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <unordered_map>
#include <vector>

#include "disk.h"

namespace nearcast {

inline constexpr size_t pageBytes = 4096;

// Buffers that begin and end at pages, in three sizes, each with room for the pages that a range begins and ends in.
class Buffers {
 public:
  explicit Buffers(size_t bytesMax) : bytesMax_(std::max(bytesMax, mappedBytes(classes.size() - 1))) {}
  ~Buffers() {
    for (auto [buffer, size] : lent_) munmap(buffer, mappedBytes(size));
    for (size_t size = 0; size < classes.size(); size++)
      for (char* buffer : idle_[size]) munmap(buffer, mappedBytes(size));
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // nullptr when there is no room: there will be when something is given back.
  char* get(size_t bytes) {
    size_t size = 0;
    while (classes[size] < bytes) size++;
    if (!idle_[size].empty()) {
      char* buffer = idle_[size].back();
      idle_[size].pop_back();
      idleBytes_ -= mappedBytes(size);
      return lend(buffer, size);
    }
    while (bytes_ + mappedBytes(size) > bytesMax_)
      if (!dropIdle()) return nullptr;
    void* buffer = mmap(nullptr, mappedBytes(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) return nullptr;
    bytes_ += mappedBytes(size);
    return lend(static_cast<char*>(buffer), size);
  }
  void giveBack(char* buffer) {
    auto found = lent_.find(buffer);
    if (found == lent_.end()) return;
    idle_[found->second].push_back(buffer);
    idleBytes_ += mappedBytes(found->second);
    lent_.erase(found);
    while (idleBytes_ > idleBytesMax) dropIdle();
  }
  bool isAnyLent() const { return !lent_.empty(); }

 private:
  static constexpr std::array<size_t, 3> classes = {64 << 10, 256 << 10, readBytesMax};
  static constexpr size_t idleBytesMax = 16 << 20;
  static size_t mappedBytes(size_t size) { return classes[size] + 2 * pageBytes; }

  char* lend(char* buffer, size_t size) {
    lent_.emplace(buffer, size);
    return buffer;
  }
  bool dropIdle() {
    for (size_t size = classes.size(); size-- > 0;) {
      if (idle_[size].empty()) continue;
      munmap(idle_[size].back(), mappedBytes(size));
      idle_[size].pop_back();
      idleBytes_ -= mappedBytes(size);
      bytes_ -= mappedBytes(size);
      return true;
    }
    return false;
  }

  size_t bytesMax_;
  size_t bytes_ = 0;  // mapped
  size_t idleBytes_ = 0;
  std::array<std::vector<char*>, 3> idle_;
  std::unordered_map<char*, size_t> lent_;
};

}  // namespace nearcast
