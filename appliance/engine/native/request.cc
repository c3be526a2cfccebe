#include "request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace nearcast {
namespace {

// A header that decides about the answer.
struct Header {
  std::string_view name;
  Reason reason;                                // why not, where it is not understood
  std::string_view Request::*value = nullptr;  // where it goes; without a place, none may come
  bool isLastOfMany = false;                    // else it comes once and says something, or the other server is asked
};

// `proxy-connection` counts as `connection` for the other parser, so it is not ignored here either.
constexpr Header headers[] = {
    {"host", Reason::syntax, &Request::host},
    {"range", Reason::range, &Request::range},
    {"if-range", Reason::condition, &Request::ifRange},
    {"if-none-match", Reason::condition, &Request::ifNoneMatch},
    {"connection", Reason::body, &Request::connection},
    {"cmcd-object", Reason::syntax, &Request::cmcdObject, true},
    {"cmcd-request", Reason::syntax, &Request::cmcdRequest, true},
    {"cmcd-session", Reason::syntax, &Request::cmcdSession, true},
    {"cmcd-status", Reason::syntax, &Request::cmcdStatus, true},
    // They announce a body, or ask to speak something else.
    {"content-length", Reason::body},
    {"transfer-encoding", Reason::body},
    {"expect", Reason::body},
    {"upgrade", Reason::body},
    {"proxy-connection", Reason::body},
    {"trailer", Reason::body},
    // Conditions that need dates or lists.
    {"if-match", Reason::condition},
    {"if-modified-since", Reason::condition},
    {"if-unmodified-since", Reason::condition},
};

// RFC 9110 §5.6.2: tchar.
constexpr std::array<bool, 256> makeNameChars() {
  std::array<bool, 256> chars{};
  for (int c = '0'; c <= '9'; c++) chars[c] = true;
  for (int c = 'a'; c <= 'z'; c++) chars[c] = chars[c - 32] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) chars[static_cast<unsigned char>(c)] = true;
  return chars;
}
constexpr auto nameChars = makeNameChars();

// The bytes at the start that may be in a name.
size_t nameSize(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, [](unsigned char c) { return nameChars[c]; });
  return static_cast<size_t>(end - text.begin());
}

bool equalsLower(std::string_view text, std::string_view lower) {
  const auto isSame = [](char c, char wanted) { return (c >= 'A' && c <= 'Z' ? c + 32 : c) == wanted; };
  return std::ranges::equal(text, lower, isSame);
}

constexpr uint32_t letterBit(char first) { return uint32_t{1} << (first & 31); }
constexpr uint32_t makeFirstLetters() {
  uint32_t letters = 0;
  for (const Header& header : headers) letters |= letterBit(header.name[0]);
  return letters;
}
constexpr uint32_t firstLetters = makeFirstLetters();

const Header* findHeader(std::string_view text) {
  // Most headers are of no interest: their first letter says so.
  const char first = static_cast<char>(text[0] | 0x20);
  if ((firstLetters & letterBit(first)) == 0) return nullptr;
  for (const Header& header : headers)
    if (header.name[0] == first && equalsLower(text, header.name)) return &header;
  return nullptr;
}

std::string_view trim(std::string_view text) {
  const size_t first = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// Up to 15 digits: exact in a JavaScript number, and larger than any file.
bool takeNumber(std::string_view& text, uint64_t& value, bool& present) {
  const char* const end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  const size_t digits = static_cast<size_t>(end - text.data());
  text.remove_prefix(digits);
  present = digits > 0;
  return digits <= 15;
}

bool parseRange(std::string_view text, Request& request) {
  constexpr std::string_view unit = "bytes=";
  if (!text.starts_with(unit)) return false;
  text.remove_prefix(unit.size());
  bool hasFirst = false;
  bool hasLast = false;
  if (!takeNumber(text, request.first, hasFirst) || !text.starts_with('-')) return false;
  text.remove_prefix(1);
  if (!takeNumber(text, request.last, hasLast) || !text.empty()) return false;
  if (!hasFirst) request.first = request.last;
  request.rangeKind = !hasFirst ? RangeKind::suffix : hasLast ? RangeKind::fromTo : RangeKind::from;
  return hasLast ? !hasFirst || request.first <= request.last : hasFirst;
}

// Takes `/v1/<token>/<file>.<ext>` apart. Characters are not looked at further: a name that is not exactly one that
// JavaScript installed is found in no table.
bool parseTarget(std::string_view target, Request& request) {
  constexpr std::string_view prefix = "/v1/";
  constexpr size_t pathBytesMax = 2300;
  constexpr size_t fileBytes = 64;
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  if (path.size() > pathBytesMax || !path.starts_with(prefix)) return false;
  const size_t slash = path.find('/', prefix.size());
  if (slash == std::string_view::npos) return false;
  request.token = path.substr(prefix.size(), slash - prefix.size());
  const std::string_view name = path.substr(slash + 1);
  if (name.size() < fileBytes + 3 || name.size() > fileBytes + 7 || name[fileBytes] != '.') return false;
  request.file = name.substr(0, fileBytes);
  request.ext = name.substr(fileBytes + 1);
  return !request.token.empty() && name.find('/') == std::string_view::npos;
}

std::optional<Reason> parseLine(std::string_view line, Request& request) {
  request.isHead = line[0] == 'H';
  line.remove_prefix(request.isHead ? 5 : 4);
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || line.substr(space + 1) != "HTTP/1.1") return Reason::version;
  const std::string_view target = line.substr(0, space);
  if (target.find('\t') != std::string_view::npos || target.find('#') != std::string_view::npos) return Reason::target;
  unsigned high = 0;
  for (unsigned char c : target) high |= c;
  if (high >= 0x80 || !parseTarget(target, request)) return Reason::target;
  return {};
}

bool takeHeader(const Header& header, std::string_view text, Request& request) {
  if (header.value == nullptr) return false;
  std::string_view& value = request.*header.value;
  const bool isFirst = value.empty();
  value = text;
  if (header.isLastOfMany) return true;
  if (!isFirst || text.empty()) return false;
  if (header.value == &Request::range) return parseRange(text, request);
  if (header.value != &Request::connection) return true;
  request.close = equalsLower(text, "close");
  return request.close || equalsLower(text, "keep-alive");
}

std::optional<Reason> parseHeaders(std::string_view lines, Request& request) {
  while (!lines.empty()) {
    const size_t colon = nameSize(lines);
    if (colon == 0 || lines[colon] != ':') return Reason::syntax;
    const size_t end = lines.find('\r', colon);
    const std::string_view value = lines.substr(colon + 1, end - colon - 1);
    const Header* const header = findHeader(lines.substr(0, colon));
    if (header != nullptr && !takeHeader(*header, trim(value), request)) return header->reason;
    lines.remove_prefix(end + 2);
  }
  if (request.host.empty()) return Reason::syntax;
  return {};
}

bool mayBeRead(std::string_view bytes) {
  const auto begins = [=](std::string_view method) { return method.starts_with(bytes.substr(0, method.size())); };
  return begins("GET /") || begins("HEAD /");
}

// Whether nothing in it is a control character but tabs and the ends of lines, and in a whole head no carriage return
// stands elsewhere. Without a branch, so that it is done many bytes at a time.
template <bool isWhole>
bool isLines(std::string_view text) {
  const auto is = [](bool what) { return static_cast<uint8_t>(what); };
  const auto isBad = [&](uint8_t c) -> uint8_t {
    return (is(c < 0x20) & is(c != '\t') & is(c != '\r') & is(c != '\n')) | is(c == 0x7f);
  };
  uint8_t bad = text.empty() ? 0 : isBad(static_cast<uint8_t>(text.back()));
  for (size_t i = 0; i + 1 < text.size(); i++) {
    bad |= isBad(static_cast<uint8_t>(text[i]));
    if constexpr (isWhole) bad |= is(text[i] == '\r') & is(text[i + 1] != '\n');
  }
  return bad == 0;
}

}  // namespace

ParseResult parseRequest(std::string_view bytes, size_t& scanned, Request& request, Reason& reason) {
  const auto unusual = [&](Reason why) {
    reason = why;
    return ParseResult::unusual;
  };
  if (!mayBeRead(bytes)) return unusual(Reason::method);
  size_t end = 0;
  while (end == 0) {
    const size_t at = bytes.find('\n', scanned);
    if (at == bytes.npos) {
      // What can never become a request is not waited for.
      if (!isLines<false>(bytes.substr(scanned))) return unusual(Reason::syntax);
      scanned = bytes.size();
      return bytes.size() > headBytesMax ? unusual(Reason::size) : ParseResult::incomplete;
    }
    if (at == 0 || bytes[at - 1] != '\r') return unusual(Reason::syntax);
    if (at >= 3 && bytes[at - 2] == '\n') end = at + 1;
    scanned = at + 1;
  }
  if (end > headBytesMax) return unusual(Reason::size);
  request = Request{};
  request.headBytes = end;
  const std::string_view head = bytes.substr(0, end - 2);
  const size_t lineEnd = head.find('\r');
  if (!isLines<true>(head)) return unusual(Reason::syntax);
  auto why = parseLine(head.substr(0, lineEnd), request);
  if (!why) why = parseHeaders(head.substr(lineEnd + 2), request);
  return why ? unusual(*why) : ParseResult::complete;
}

}  // namespace nearcast
