// Feeds parseRequest with anything, in one piece and in pieces, and compares it with a slow and simple reading of the
// same rules. An input is the raw bytes of a connection; where it is cut follows from the input itself, so that the
// files of corpus/request can be read and written by hand.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "request.h"
#include "test-check.h"

using namespace nearcast;

namespace {

// --- the reference: one pass over whole lines, one string a field -----------------------------------

struct Expected {
  size_t headBytes = 0;
  bool isHead = false;
  bool close = false;
  RangeKind rangeKind = RangeKind::none;
  uint64_t first = 0;
  uint64_t last = 0;
  std::string token, file, ext, query, ifRange, ifNoneMatch;
  std::string cmcd[4];
};

enum class Kind { incomplete, unusual, complete };

bool isControl(char c) { return (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127; }

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool isToken(const std::string& text) {
  for (char c : text)
    if (!isalnum(static_cast<unsigned char>(c)) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
  return !text.empty();
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool readNumber(const std::string& text, uint64_t& value) {
  if (text.size() > 15) return false;
  for (char c : text)
    if (c < '0' || c > '9') return false;
  value = text.empty() ? 0 : strtoull(text.c_str(), nullptr, 10);
  return true;
}

bool readRange(const std::string& text, Expected& to) {
  const size_t dash = text.find('-');
  if (text.substr(0, 6) != "bytes=" || dash == text.npos) return false;
  const std::string first = text.substr(6, dash - 6);
  const std::string last = text.substr(dash + 1);
  if (!readNumber(first, to.first) || !readNumber(last, to.last)) return false;
  if (first.empty() && last.empty()) return false;
  to.rangeKind = first.empty() ? RangeKind::suffix : last.empty() ? RangeKind::from : RangeKind::fromTo;
  if (to.rangeKind == RangeKind::suffix) to.first = to.last;
  return to.rangeKind != RangeKind::fromTo || to.first <= to.last;
}

bool readTarget(const std::string& target, Expected& to) {
  for (char c : target)
    if (isControl(c) || c == '\t' || c == '#' || static_cast<unsigned char>(c) > 127) return false;
  const size_t mark = target.find('?');
  const std::string path = target.substr(0, mark);
  if (mark != target.npos) to.query = target.substr(mark + 1);
  std::vector<std::string> parts = {""};
  for (char c : path) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back().push_back(c);
  }
  if (path.size() > 2300 || parts.size() != 4) return false;
  if (!parts[0].empty() || parts[1] != "v1" || parts[2].empty()) return false;
  to.token = parts[2];
  if (parts[3].size() < 65 || parts[3][64] != '.') return false;
  to.file = parts[3].substr(0, 64);
  to.ext = parts[3].substr(65);
  return to.ext.size() >= 2 && to.ext.size() <= 6;
}

bool readHeaders(const std::vector<std::string>& lines, Expected& to) {
  std::map<std::string, std::vector<std::string>> headers;
  for (size_t i = 1; i < lines.size(); i++) {
    const size_t colon = lines[i].find(':');
    if (colon == std::string::npos || !isToken(lines[i].substr(0, colon))) return false;
    headers[lower(lines[i].substr(0, colon))].push_back(trimmed(lines[i].substr(colon + 1)));
  }
  for (const char* name : {"content-length", "transfer-encoding", "expect", "upgrade", "proxy-connection", "trailer",
                           "if-match", "if-modified-since", "if-unmodified-since"})
    if (headers.contains(name)) return false;
  const char* const onceOnly[] = {"host", "range", "if-range", "if-none-match", "connection"};
  for (const char* name : onceOnly)
    if (headers.contains(name) && (headers[name].size() > 1 || headers[name][0].empty())) return false;
  if (!headers.contains("host")) return false;
  if (headers.contains("range") && !readRange(headers["range"][0], to)) return false;
  if (headers.contains("if-range")) to.ifRange = headers["if-range"][0];
  if (headers.contains("if-none-match")) to.ifNoneMatch = headers["if-none-match"][0];
  if (headers.contains("connection")) {
    const std::string option = lower(headers["connection"][0]);
    if (option != "close" && option != "keep-alive") return false;
    to.close = option == "close";
  }
  const char* const cmcd[] = {"cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"};
  for (size_t i = 0; i < 4; i++)
    if (headers.contains(cmcd[i])) to.cmcd[i] = headers[cmcd[i]].back();
  return true;
}

bool readHead(const std::vector<std::string>& lines, Expected& to) {
  for (const std::string& line : lines)
    for (char c : line)
      if (isControl(c)) return false;
  const size_t first = lines[0].find(' ');
  const size_t second = lines[0].find(' ', first + 1);
  if (first == std::string::npos || second == std::string::npos) return false;
  if (lines[0].substr(second + 1) != "HTTP/1.1") return false;
  to.isHead = lines[0].substr(0, first) == "HEAD";
  return readTarget(lines[0].substr(first + 1, second - first - 1), to) && readHeaders(lines, to);
}

Kind readAll(const std::string& bytes, Expected& to) {
  const std::string get = "GET /", head = "HEAD /";
  const size_t n = bytes.size();
  if (bytes.substr(0, 5) != get.substr(0, n) && bytes.substr(0, 6) != head.substr(0, n)) return Kind::unusual;
  std::vector<std::string> lines;
  size_t at = 0;
  for (;;) {
    const size_t end = bytes.find('\n', at);
    if (end == bytes.npos) break;
    if (end == at || bytes[end - 1] != '\r') return Kind::unusual;
    const std::string line = bytes.substr(at, end - 1 - at);
    at = end + 1;
    if (line.empty()) {
      to.headBytes = at;
      return at <= headBytesMax && readHead(lines, to) ? Kind::complete : Kind::unusual;
    }
    lines.push_back(line);
  }
  for (size_t i = at; i < n; i++)
    if (isControl(bytes[i]) && bytes[i] != '\r') return Kind::unusual;
  return n > headBytesMax ? Kind::unusual : Kind::incomplete;
}

// --- comparing --------------------------------------------------------------------------------------

bool isWithin(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void compare(const Request& request, const Expected& expected, std::string_view bytes) {
  CHECK(request.headBytes == expected.headBytes && request.headBytes <= headBytesMax);
  CHECK(request.isHead == expected.isHead && request.close == expected.close);
  CHECK(request.rangeKind == expected.rangeKind);
  if (request.rangeKind != RangeKind::none) CHECK(request.first == expected.first);
  if (request.rangeKind == RangeKind::fromTo) CHECK(request.last == expected.last && request.first <= request.last);
  CHECK(request.token == expected.token && request.file == expected.file && request.ext == expected.ext);
  CHECK(request.query == expected.query);
  CHECK(request.ifRange == expected.ifRange && request.ifNoneMatch == expected.ifNoneMatch);
  const std::string_view head = bytes.substr(0, request.headBytes);
  const std::string_view cmcd[] = {request.cmcdObject, request.cmcdRequest, request.cmcdSession, request.cmcdStatus};
  for (size_t i = 0; i < 4; i++) CHECK(cmcd[i] == expected.cmcd[i] && isWithin(cmcd[i], head));
  for (const std::string_view part : {request.token, request.file, request.ext, request.query, request.ifRange,
                                      request.ifNoneMatch})
    CHECK(isWithin(part, head));
}

// Gives the bytes up to each of `ends` in turn, as a connection does, until there is a result.
ParseResult feed(const std::string& bytes, const std::vector<size_t>& ends, Request& request, std::string& given) {
  size_t scanned = 0;
  Reason reason = Reason::method;
  for (const size_t end : ends) {
    given.assign(bytes, 0, end); // moves, as the buffer of a connection does
    const ParseResult result = parseRequest(given, scanned, request, reason);
    CHECK(static_cast<size_t>(reason) < reasonCount);
    if (result != ParseResult::incomplete) return result;
    CHECK(scanned <= end);
  }
  return ParseResult::incomplete;
}

void check(const std::string& bytes, const std::vector<size_t>& ends, Kind kind, const Expected& expected) {
  Request request;
  std::string given;
  const ParseResult result = feed(bytes, ends, request, given);
  if (kind == Kind::complete) {
    CHECK(result == ParseResult::complete);
    compare(request, expected, given);
  } else if (kind == Kind::unusual) {
    CHECK(result == ParseResult::unusual);
  } else if (result != ParseResult::incomplete) {
    // What is cut behind a control character is refused before its line is whole: nothing can mend it.
    CHECK(result == ParseResult::unusual && ends.size() > 1);
    bool isBroken = false;
    for (char c : bytes) isBroken |= isControl(c) && c != '\r' && c != '\n';
    CHECK(isBroken);
  }
}

std::vector<size_t> cuts(const std::string& bytes) {
  uint64_t state = 0xcbf29ce484222325;
  for (unsigned char c : bytes) state = (state ^ c) * 0x100000001b3;
  std::vector<size_t> ends;
  for (size_t at = 0; at < bytes.size();) {
    state = state * 6364136223846793005 + 1442695040888963407;
    at += 1 + (state >> 33) % (1 + bytes.size() / 3);
    ends.push_back(std::min(at, bytes.size()));
  }
  return ends;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  Expected expected;
  const Kind kind = readAll(bytes, expected);
  check(bytes, {size}, kind, expected);
  check(bytes, cuts(bytes), kind, expected);
  if (size > 256) return 0;
  std::vector<size_t> every;
  for (size_t end = 1; end <= size; end++) every.push_back(end);
  check(bytes, every, kind, expected);
  return 0;
}
