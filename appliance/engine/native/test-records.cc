// Tests of records.h. By `make test-records` (ASan, UBSan), or by hand:
//   clang++-14 -std=c++20 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all test-records.cc -o /tmp/r && /tmp/r
// With an argument it measures instead: g++ -std=c++20 -O2 test-records.cc -o /tmp/r && /tmp/r time
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <random>
#include <string>
#include <vector>

#include "records.h"
#include "test-check.h"

using namespace nearcast;

namespace {

const std::string hash(64, 'a');

Record plain() {
  Record record;
  record.timeMs = 1'795'255'135'007;
  record.first = 0;
  record.last = 65'535;
  record.sentBytes = 65'536;
  record.durationUs = 1'050;
  record.ttfbUs = 7;
  record.status = 206;
  memcpy(record.file, hash.data(), 64);
  memcpy(record.ext, "mp4", 3);
  return record;
}

std::string format(const Record& record) {
  // Exactly as long as promised: a byte more is found by ASan.
  std::vector<char> line(recordLineBytesMax);
  return std::string(line.data(), formatRecord(record, line.data(), line.size()));
}

void testLine() {
  CHECK(format(plain()) == "{\"time\":\"2026-11-21T09:58:55.007Z\",\"file\":\"" + hash +
                               "\",\"ext\":\"mp4\",\"status\":206,\"range\":[0,65535],\"sent\":65536,\"ms\":1.050,"
                               "\"ttfbMs\":0.007,\"cache\":\"hot\",\"scope\":\"play\"");
  Record record = plain();
  record.first = 1;
  record.last = 0;
  record.cache = CacheState::cold;
  record.scope = Scope::fill;
  record.isHead = record.isCut = true;
  memcpy(record.tls, "1.3", 3);
  record.client = 0x0123456789abcdef;
  CHECK(format(record).ends_with("\"status\":206,\"sent\":65536,\"ms\":1.050,\"ttfbMs\":0.007,\"cache\":\"cold\",\"scope\":"
                                 "\"fill\",\"tls\":\"1.3\",\"client\":\"0123456789abcdef\",\"head\":true,\"cut\":true"));
  record.scope = Scope::picture;
  CHECK(format(record).find(",\"scope\":\"picture\",\"tls\"") != std::string::npos);
  // A refusal that came before the target was known.
  CHECK(format(Record{}).starts_with("{\"time\":\"1970-01-01T00:00:00.000Z\",\"status\":0,\"sent\":0,"));
  char small[16];
  CHECK(formatRecord(plain(), small, sizeof small) == 0);
}

void testLongest() {
  Record record;
  record.timeMs = record.first = record.last = record.sentBytes = record.client = UINT64_MAX;
  record.durationUs = record.ttfbUs = UINT32_MAX;
  record.status = UINT16_MAX;
  record.cache = CacheState::cold;
  record.isHead = record.isCut = true;
  memset(record.tls, 'x', sizeof record.tls);
  memset(record.file, 'f', sizeof record.file);
  memset(record.ext, 'e', sizeof record.ext);
  const std::string line = format(record);
  CHECK(line.starts_with("{\"time\":\"9999-12-31T23:59:59.999Z\""));
  CHECK(line.find("18446744073709551615") != std::string::npos && line.find("4294967.295") != std::string::npos);
  CHECK(line.size() + 2 <= recordLineBytesMax);
}

void testTimes() {
  std::mt19937_64 chance(1);
  for (int i = 0; i < 200'000; i++) {
    Record record = plain();
    // Around each turn of a day as well.
    record.timeMs = i % 2 == 0 ? chance() % 253'402'300'800'000 : chance() % 2'932'897 * 86'400'000 + chance() % 3 - 1;
    if (record.timeMs > 253'402'300'799'999) continue;
    const time_t seconds = static_cast<time_t>(record.timeMs / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char wanted[40];
    const size_t length = strftime(wanted, sizeof wanted, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(wanted + length, sizeof wanted - length, ".%03uZ\"", static_cast<unsigned>(record.timeMs % 1000));
    // %Y does not fill up to four digits.
    if (parts.tm_year + 1900 >= 1000) CHECK(format(record).starts_with(wanted));
  }
}

void testRing() {
  RecordRing ring(3);
  Record record = plain();
  for (uint16_t status = 1; status <= 5; status++) {
    record.status = status;
    ring.push(record);
  }
  CHECK(ring.size() == 3 && ring.dropped() == 2);
  // Room for one line at a time: the oldest first, nothing lost, and the ring turns around.
  std::vector<char> out(recordLineBytesMax + 100);
  std::vector<std::string> withCmcd;
  for (uint16_t status = 1; status <= 40; status++) {
    const std::string lines(out.data(), ring.drain(out.data(), out.size(), withCmcd));
    CHECK(lines.ends_with("}\n") && lines.find('\n') == lines.size() - 1);
    CHECK(lines.find("\"status\":" + std::to_string(status) + ",") != std::string::npos);
    record.status = static_cast<uint16_t>(status + 3);
    ring.push(record);
  }
  CHECK(ring.size() == 3 && ring.dropped() == 2 && withCmcd.empty());
}

void testCmcd() {
  RecordRing ring(8);
  Record record = plain();
  record.cmcd = "q=br%3D1";
  ring.push(record);
  record.cmcd.clear();
  ring.push(record);
  record.cmcd.assign(cmcdBytesMax + 1, 'x');
  ring.push(record);
  std::vector<char> out(16 * recordLineBytesMax);
  std::vector<std::string> withCmcd;
  const std::string lines(out.data(), ring.drain(out.data(), out.size(), withCmcd));
  CHECK(lines == format(plain()) + "}\n" + format(plain()) + "}\n");
  CHECK(withCmcd.size() == 2 && withCmcd[0] == format(plain()) && withCmcd[1] == "q=br%3D1");
  // Nobody fills JavaScript's memory at once with it.
  RecordRing large(5000);
  record.cmcd = "h=";
  for (int i = 0; i < 5000; i++) large.push(record);
  withCmcd.clear();
  CHECK(large.drain(out.data(), out.size(), withCmcd) == 0);
  CHECK(withCmcd.size() < 5000 && large.size() == 5000 - withCmcd.size() / 2);
}

void measure() {
  constexpr int rounds = 200;
  constexpr size_t count = 10'000;
  RecordRing ring(count);
  Record record = plain();
  record.client = 0x0123456789abcdef;
  memcpy(record.tls, "1.3", 3);
  std::vector<char> out(count * recordLineBytesMax);
  std::vector<std::string> withCmcd;
  timespec start, end;
  size_t bytes = 0;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  for (int round = 0; round < rounds; round++) {
    for (size_t i = 0; i < count; i++) {
      record.timeMs += 7;
      record.first += 65'536;
      record.last += 65'536;
      ring.push(record);
    }
    bytes += ring.drain(out.data(), out.size(), withCmcd);
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  const double ns = static_cast<double>(end.tv_sec - start.tv_sec) * 1e9 + static_cast<double>(end.tv_nsec - start.tv_nsec);
  printf("%.0f ns a record, %zu bytes a line\n", ns / (rounds * count), bytes / (rounds * count));
}

}  // namespace

int main(int argc, char**) {
  if (argc > 1) {
    measure();
    return 0;
  }
  testLine();
  testLongest();
  testTimes();
  testRing();
  testCmcd();
  printf("records: ok\n");
}
