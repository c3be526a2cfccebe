// What was asked for lately.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace nearcast {

// Which ranges were asked for before, lately: two Bloom filters, of which the older one is forgotten when the younger
// has seen half a memory of reads. Whoever is asked for again within that is worth keeping in memory.
class Recent {
 public:
  // Notes the range and says whether it was there. A segment is asked for in the same ranges by all its viewers.
  bool seen(uint64_t device, uint64_t file, uint64_t offset, uint32_t bytes) {
    const uint64_t key[] = {device, file, offset / granuleBytes};
    const size_t hash = std::hash<std::string_view>()({reinterpret_cast<const char*>(key), sizeof key});
    const size_t first = hash % bits, second = (hash >> 32) % bits;
    const auto holds = [=](const std::vector<bool>& filter) { return filter[first] && filter[second]; };
    const bool isYoung = holds(young_), isKnown = isYoung || holds(old_);
    if (!isYoung) {
      young_[first] = young_[second] = true;
      entries_++;
      bytes_ += bytes;
    }
    if (entries_ >= entriesMax || bytes_ >= bytesMax_) {
      old_.swap(young_);
      young_.assign(bits, false);
      entries_ = bytes_ = 0;
    }
    return isKnown;
  }

 private:
  static constexpr uint64_t granuleBytes = 64 << 10;
  static constexpr size_t bits = 1 << 19;             // 64 KiB of memory each
  static constexpr uint64_t entriesMax = bits / 16;  // at most 1.5 % are taken for known by mistake

  uint64_t bytesMax_ = static_cast<uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 1L << 17)) * 4096 / 2;
  std::vector<bool> young_ = std::vector<bool>(bits), old_ = std::vector<bool>(bits);
  uint64_t entries_ = 0, bytes_ = 0;
};

}  // namespace nearcast
