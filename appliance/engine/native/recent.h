// What was asked for lately.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace nearcast {

// Which ranges were asked for before, lately: two Bloom filters, of which the older one is forgotten when the younger
// has seen half a memory of reads. Whoever is asked for again within that is worth keeping in memory.
class Recent {
 public:
  // Notes the range and says whether it was there. A segment is asked for in the same ranges by all its viewers.
  bool seen(uint64_t device, uint64_t file, uint64_t offset, uint32_t bytes) {
    uint64_t hash = mix(mix(mix(device) ^ file) ^ offset / granuleBytes);
    size_t first = hash % bits, second = (hash >> 32) % bits;
    auto holds = [=](const std::vector<bool>& filter) { return filter[first] && filter[second]; };
    bool known = holds(young_) || holds(old_);
    if (!holds(young_)) {
      young_[first] = young_[second] = true;
      entries_++;
      bytes_ += bytes;
    }
    if (entries_ >= entriesMax || bytes_ >= bytesMax_) {
      old_.swap(young_);
      young_.assign(bits, false);
      entries_ = bytes_ = 0;
    }
    return known;
  }

 private:
  static constexpr uint64_t granuleBytes = 64 << 10;
  static constexpr size_t bits = 1 << 19;             // 64 KiB of memory each
  static constexpr uint64_t entriesMax = bits / 16;  // at most 1.5 % are taken for known by mistake
  static uint64_t mix(uint64_t x) {  // splitmix64
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  uint64_t bytesMax_ = static_cast<uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 1L << 17)) * 4096 / 2;
  std::vector<bool> young_ = std::vector<bool>(bits), old_ = std::vector<bool>(bits);
  uint64_t entries_ = 0, bytes_ = 0;
};

}  // namespace nearcast
