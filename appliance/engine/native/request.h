// Reads the head of one HTTP/1.1 request. It takes only what it understands completely and what the TypeScript
// server would understand in the same way; all else is "unusual" and is handed over to that server, bytes and all.
#pragma once

#include <cstdint>
#include <string_view>

namespace nearcast {

// Why a connection is handed to the TypeScript server. The order is that of the counters that JavaScript reads.
enum class Reason : uint8_t {
  method,      // not GET or HEAD, or not HTTP at all
  version,     // not HTTP/1.1
  target,      // not the origin form of a file's path
  syntax,      // a line that RFC 9112 does not allow, or an obsolete form of one
  size,        // a head longer than headBytesMax
  body,        // announces a body, an upgrade or an expectation
  range,       // anything but one range that can be satisfied
  condition,   // a condition that needs more than a comparison with the ETag
  policy,      // JavaScript decided so: the token is refused, the file is not held
  protocol,    // h2 was negotiated
};
inline constexpr size_t reasonCount = 10;

// A head longer than this is not ours. The TypeScript server allows more, and says 431 above that.
inline constexpr size_t headBytesMax = 8192;

enum class RangeKind : uint8_t { none, fromTo, from, suffix };

// The parts of a request that decide about its answer. Views point into the bytes that were parsed.
struct Request {
  size_t headBytes = 0;  // including the empty line
  bool isHead = false;
  bool close = false;  // the client asked for the connection to be closed after the answer
  RangeKind rangeKind = RangeKind::none;
  uint64_t first = 0;  // fromTo, from: first position; suffix: how many bytes
  uint64_t last = 0;   // fromTo only
  std::string_view token;
  std::string_view file;  // 64 hex digits
  std::string_view ext;
  std::string_view query;  // without the question mark
  std::string_view host;
  std::string_view range;
  std::string_view ifRange;
  std::string_view ifNoneMatch;
  std::string_view connection;
  std::string_view cmcdObject;
  std::string_view cmcdRequest;
  std::string_view cmcdSession;
  std::string_view cmcdStatus;
};

enum class ParseResult : uint8_t { incomplete, complete, unusual };

// Parses the head at the start of `bytes`. `scanned` is how many of them earlier calls saw without finding the end:
// start with 0, it is kept up to date, so that a head that comes byte by byte costs no more than one that comes whole.
ParseResult parseRequest(std::string_view bytes, size_t& scanned, Request& request, Reason& reason);

}  // namespace nearcast
