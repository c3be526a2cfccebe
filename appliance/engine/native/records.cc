#include "records.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "text.h"

namespace nearcast {

namespace {

// A client can make every record one of these: what one drain brings to JavaScript stays bounded all the same.
constexpr size_t withCmcdMax = 1024;
constexpr uint64_t timeMsMax = 253'402'300'799'999;  // the end of the year 9999, the last that ISO 8601 writes so

char* putTime(char* out, uint64_t timeMs) {
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

char* putMilliseconds(char* out, uint32_t us) { return put(put(put(out, uint64_t{us} / 1000), "."), us % 1000, 3); }

template <size_t n>
std::string_view textOf(const char (&field)[n]) {
  return {field, strnlen(field, n)};
}

}  // namespace

// Its strings need no escaping: a file is hexadecimal digits, the rest comes from tables of ours.
size_t formatRecord(const Record& record, char* out, size_t room) {
  if (room < recordLineBytesMax) return 0;
  char* at = putTime(put(out, "{\"time\":\""), record.timeMs);
  if (record.file[0] != '\0')
    at = putAll(at, "\",\"file\":\"", textOf(record.file), "\",\"ext\":\"", textOf(record.ext));
  at = putAll(at, "\",\"status\":", uint64_t{record.status});
  if (record.first <= record.last) at = putAll(at, ",\"range\":[", record.first, ",", record.last, "]");
  at = putMilliseconds(putAll(at, ",\"sent\":", record.sentBytes, ",\"ms\":"), record.durationUs);
  at = putMilliseconds(put(at, ",\"ttfbMs\":"), record.ttfbUs);
  at = put(at, record.cache == CacheState::hot ? ",\"cache\":\"hot\"" : ",\"cache\":\"cold\"");
  at = put(at, record.scope == Scope::play ? ",\"scope\":\"play\"" : ",\"scope\":\"fill\"");
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

RecordRing::RecordRing(size_t recordsMax) : slots_(std::max<size_t>(recordsMax, 1)) {}

void RecordRing::push(Record record) {
  if (size_ == slots_.size()) {
    dropped_++;
    return;
  }
  Record& slot = slots_[(head_ + size_++) % slots_.size()];
  slot = std::move(record);
  if (slot.cmcd.size() > cmcdBytesMax) slot.cmcd.clear();  // the beginning of a list would pass for the whole
}

size_t RecordRing::drain(char* out, size_t room, std::vector<WithCmcd>& withCmcd) {
  size_t bytes = 0;
  for (; size_ > 0; size_--, head_ = (head_ + 1) % slots_.size()) {
    Record& record = slots_[head_];
    if (!record.cmcd.empty()) {
      if (withCmcd.size() >= withCmcdMax) break;
      char line[recordLineBytesMax];
      const size_t lineBytes = formatRecord(record, line, sizeof line);
      withCmcd.push_back({std::string(line, lineBytes), std::exchange(record.cmcd, {})});
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

}  // namespace nearcast
