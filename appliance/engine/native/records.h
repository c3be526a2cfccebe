// What serving leaves behind: counters, bytes per file, and one record per request in a bounded ring.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text.h"

namespace nearcast {

enum class CacheState : uint8_t { hot, cold };  // from memory, or by a reading thread
// What the token is for; the order is that of `ServedBytes` and `scopeFields`.
enum class Scope : uint8_t { play, fill, picture };
inline constexpr size_t scopeCount = 3;
inline constexpr std::array<std::string_view, scopeCount> scopeFields = {
    ",\"scope\":\"play\"", ",\"scope\":\"fill\"", ",\"scope\":\"picture\""};

// What is known of a request while it is answered.
struct Outcome {
  uint64_t timeMs = 0;     // Unix time at which the head of the request was complete
  uint64_t first = 1;      // the range that was answered, both ends inclusive; first > last for none
  uint64_t sentBytes = 0;  // of the file
  uint16_t status = 0;
  CacheState cache = CacheState::hot;
  Scope scope = Scope::play;
  bool isHead = false;
};

struct Record : Outcome {
  uint64_t last = 0;
  uint32_t durationUs = 0;
  uint32_t ttfbUs = 0;  // until the first byte went to the kernel
  bool isCut = false;   // the body did not go out whole
  char tls[4] = {};    // "", "1.2", "1.3"
  char file[64] = {};
  char ext[8] = {};
  uint64_t client = 0;  // pseudonym of the address (ADR 6), 0 for none
  std::string cmcd;     // raw: "q=<query value>" or "h=<the four headers joined by commas>"
};
inline constexpr size_t cmcdBytesMax = 1024;

inline constexpr size_t recordLineBytesMax = 512;
// A client can make every record one of these: what one drain brings to JavaScript stays bounded all the same.
inline constexpr size_t withCmcdMax = 1024;
inline constexpr uint64_t timeMsMax = 253'402'300'799'999;  // the end of the year 9999, the last that ISO 8601 writes so

inline char* putTime(char* out, uint64_t timeMs) {
  using namespace std::chrono;
  const sys_time<milliseconds> time(milliseconds(std::min(timeMs, timeMsMax)));
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const unsigned ms = static_cast<unsigned>((time - day).count());
  out = put(put(out, static_cast<unsigned>(static_cast<int>(date.year())), 4), "-");
  out = put(put(out, static_cast<unsigned>(date.month()), 2), "-");
  out = put(put(out, static_cast<unsigned>(date.day()), 2), "T");
  out = put(put(out, ms / 3'600'000, 2), ":");
  out = put(put(out, ms / 60'000 % 60, 2), ":");
  out = put(put(out, ms / 1000 % 60, 2), ".");
  return put(put(out, ms % 1000, 3), "Z");
}

inline char* putMilliseconds(char* out, uint32_t us) {
  return put(putAll(out, uint64_t{us} / 1000, "."), us % 1000, 3);
}

template <size_t n>
std::string_view textOf(const char (&field)[n]) {
  return {field, strnlen(field, n)};
}

// One record as a line of JSON without the closing brace, for the access log (docs/appliance.md has its keys).
// Its strings need no escaping: a file is hexadecimal digits, the rest comes from tables of ours.
inline size_t formatRecord(const Record& record, char* out, size_t room) {
  if (room < recordLineBytesMax) return 0;
  char* at = putTime(put(out, "{\"time\":\""), record.timeMs);
  if (record.file[0] != '\0')
    at = putAll(at, "\",\"file\":\"", textOf(record.file), "\",\"ext\":\"", textOf(record.ext));
  at = putAll(at, "\",\"status\":", uint64_t{record.status});
  if (record.first <= record.last) at = putAll(at, ",\"range\":[", record.first, ",", record.last, "]");
  at = putMilliseconds(putAll(at, ",\"sent\":", record.sentBytes, ",\"ms\":"), record.durationUs);
  at = putMilliseconds(put(at, ",\"ttfbMs\":"), record.ttfbUs);
  at = put(at, record.cache == CacheState::hot ? ",\"cache\":\"hot\"" : ",\"cache\":\"cold\"");
  at = put(at, scopeFields[static_cast<size_t>(record.scope)]);
  if (record.tls[0] != '\0') at = putAll(at, ",\"tls\":\"", textOf(record.tls), "\"");
  if (record.client != 0) {
    at = put(at, ",\"client\":\"");
    for (int shift = 60; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[record.client >> shift & 15];
    at = put(at, "\"");
  }
  if (record.isHead) at = put(at, ",\"head\":true");
  if (record.isCut) at = put(at, ",\"cut\":true");
  return static_cast<size_t>(at - out);
}

// Bounded: what comes when it is full is counted and let go; nothing ever waits for it.
class RecordRing {
 public:
  explicit RecordRing(size_t recordsMax) : slots_(std::max<size_t>(recordsMax, 1)) {}
  void push(Record record) {
    if (size_ == slots_.size()) {
      dropped_++;
      return;
    }
    Record& slot = slots_[(head_ + size_++) % slots_.size()];
    slot = std::move(record);
    if (slot.cmcd.size() > cmcdBytesMax) slot.cmcd.clear();  // the beginning of a list would pass for the whole
  }
  size_t size() const { return size_; }
  uint64_t dropped() const { return dropped_; }

  // Writes the oldest records as lines of JSON into `out` while they fit, and removes them. A record with CMCD goes
  // into `withCmcd` instead, for JavaScript to parse: its line without closing brace and newline, then the CMCD. Returns
  // the bytes written.
  size_t drain(char* out, size_t room, std::vector<std::string>& withCmcd) {
    size_t bytes = 0;
    for (; size_ > 0; size_--, head_ = (head_ + 1) % slots_.size()) {
      Record& record = slots_[head_];
      if (!record.cmcd.empty()) {
        if (withCmcd.size() >= 2 * withCmcdMax) break;
        char line[recordLineBytesMax];
        withCmcd.emplace_back(line, formatRecord(record, line, sizeof line));
        withCmcd.push_back(std::exchange(record.cmcd, {}));
        continue;
      }
      // The two bytes that end a line fit into what a line never needs.
      const size_t lineBytes = formatRecord(record, out + bytes, room - bytes);
      if (lineBytes == 0) break;
      bytes += lineBytes;
      out[bytes++] = '}';
      out[bytes++] = '\n';
    }
    // Slots that are in the processor's cache already are the next to be written.
    if (size_ == 0) head_ = 0;
    return bytes;
  }

 private:
  std::vector<Record> slots_;
  size_t head_ = 0;
  size_t size_ = 0;
  uint64_t dropped_ = 0;
};

// Upper bounds in microseconds of the latency histograms; a last bucket takes the rest.
inline constexpr std::array<uint32_t, 16> latencyBoundsUs = {
    50,    100,   250,    500,    1000,    2500,    5000,     10000,
    25000, 50000, 100000, 250000, 1000000, 2500000, 10000000, 60000000};

}  // namespace nearcast
