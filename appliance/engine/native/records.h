// What serving leaves behind: counters, bytes per file, and one record per request in a bounded ring.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nearcast {

enum class CacheState : uint8_t { hot, cold };  // from memory, or by a reading thread
enum class Scope : uint8_t { play, fill };

struct Record {
  uint64_t timeMs = 0;  // Unix time at which the head of the request was complete
  uint64_t first = 1;   // the range that was answered, both ends inclusive; first > last for none
  uint64_t last = 0;
  uint64_t sentBytes = 0;  // of the file
  uint32_t durationUs = 0;
  uint32_t ttfbUs = 0;  // until the first byte went to the kernel
  uint16_t status = 0;
  CacheState cache = CacheState::hot;
  Scope scope = Scope::play;
  bool isHead = false;
  bool isCut = false;  // the body did not go out whole
  char tls[4] = {};    // "", "1.2", "1.3"
  char file[64] = {};
  char ext[8] = {};
  uint64_t client = 0;  // pseudonym of the address (ADR 6), 0 for none
  std::string cmcd;     // raw: "q=<query value>" or "h=<the four headers joined by commas>"
};
inline constexpr size_t cmcdBytesMax = 1024;

// Bounded: what comes when it is full is counted and let go; nothing ever waits for it.
class RecordRing {
 public:
  explicit RecordRing(size_t recordsMax);
  void push(Record record);
  size_t size() const { return size_; }
  uint64_t dropped() const { return dropped_; }

  struct WithCmcd {
    std::string line;  // without its closing brace and newline
    std::string cmcd;
  };
  // Writes the oldest records as lines of JSON into `out` while they fit, and removes them. A record with CMCD goes
  // into `withCmcd` instead, for JavaScript to parse. Returns the bytes written.
  size_t drain(char* out, size_t room, std::vector<WithCmcd>& withCmcd);

 private:
  std::vector<Record> slots_;
  size_t head_ = 0;
  size_t size_ = 0;
  uint64_t dropped_ = 0;
};

// One record as a line of JSON without the closing brace, for the access log (docs/appliance.md has its keys).
size_t formatRecord(const Record& record, char* out, size_t room);
inline constexpr size_t recordLineBytesMax = 512;

// Upper bounds in microseconds of the latency histograms; a last bucket takes the rest.
inline constexpr std::array<uint32_t, 16> latencyBoundsUs = {50,    100,    250,    500,     1000,    2500,    5000,    10000,
                                                             25000, 50000, 100000, 250000, 1000000, 2500000, 10000000, 60000000};

}  // namespace nearcast
