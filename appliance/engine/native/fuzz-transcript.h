// What came out of a connection, read back: every answer must be the right one, in the order of the requests, with no
// byte more than was asked for.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz-world.h"

namespace nearcast {

struct Answer {
  int status = 200;
  uint64_t first = 0;
  uint64_t end = 0;
};

// RFC 9110 for what the machine answers itself; nothing where it must have handed over.
inline Answer answerOf(const Request& request, const Content& file) {
  Answer answer;
  const std::string_view tag = request.ifNoneMatch;
  if (tag == "*" || tag == file.etag() || (tag.starts_with("W/") && tag.substr(2) == file.etag())) {
    answer.status = 304;
    return answer;
  }
  if (request.isHead) return answer;
  answer.end = file.bytes;
  if (request.rangeKind == RangeKind::none) return answer;
  if (!request.ifRange.empty() && request.ifRange != file.etag()) return answer;
  answer.status = 206;
  if (request.rangeKind == RangeKind::suffix) {
    answer.first = file.bytes - std::min<uint64_t>(request.first, file.bytes);
  } else {
    answer.first = request.first;
    if (request.rangeKind == RangeKind::fromTo) answer.end = std::min<uint64_t>(request.last + 1, file.bytes);
  }
  CHECK(answer.first < answer.end);
  return answer;
}

inline bool isPrefix(std::string_view part, std::string_view whole) { return whole.substr(0, part.size()) == part; }

struct Transcript {
  unsigned begun = 0;  // answers of a file of which the head is there
  unsigned whole = 0;
  uint64_t bodyBytes = 0;
  size_t answeredBytes = 0;  // heads of requests whose answers are whole
  bool isRefused = false;
  bool isLast = false;  // the last answer ends the connection
};

class Reader {
 public:
  Reader(std::string_view out, std::string_view in, const Settings& settings, bool isTls)
      : out_(out), in_(in), settings_(settings), isTls_(isTls) {
    const std::string_view handshake = "HSK";
    if (isTls && isPrefix(out_.substr(0, 3), handshake)) out_.remove_prefix(std::min<size_t>(3, out_.size()));
  }

  Transcript read() {
    while (!out_.empty() && (!isTls_ || !isPrefix(out_, "BYE"))) {
      if (!readAnswer()) break;
    }
    return seen_;
  }

 private:
  bool readAnswer() {
    CHECK(!seen_.isLast);
    Request request;
    size_t scanned = 0;
    Reason reason;
    const bool isWhole = parseRequest(in_, scanned, request, reason) == ParseResult::complete;
    if (readCanned(Refusal::timeout, false)) return false;
    const size_t headEnd = out_.find("\r\n\r\n");
    if (headEnd == out_.npos) {
      CHECK(isPrefix("HTTP/1.1 ", out_) || isPrefix(out_, "HTTP/1.1 "));
      return false;
    }
    CHECK(isWhole);
    if (readCanned(Refusal::overloaded, request.isHead)) return false;
    if (readCanned(Refusal::draining, request.isHead)) return false;
    const std::string head(out_.substr(0, headEnd + 4));
    out_.remove_prefix(head.size());
    seen_.begun++;
    const Content* file = findContent({request.file.data(), request.file.size() + 1 + request.ext.size()});
    CHECK(file != nullptr);
    const Answer answer = answerOf(request, *file);
    checkHead(head, request, answer, *file);
    return readBody(request, answer, *file);
  }

  bool readCanned(Refusal why, bool isHead) {
    const std::string_view text = settings_.refusals[static_cast<size_t>(why)];
    const std::string_view canned = isHead ? text.substr(0, text.find("\r\n\r\n") + 4) : text;
    const std::string_view start = text.substr(0, text.find("\r\n"));
    if (!out_.starts_with(start)) return false;
    // The date stands second, as in every answer.
    const std::string all = std::string(start) + "\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT" +
                            std::string(canned.substr(start.size())) + (isTls_ ? "BYE" : "");
    CHECK(isPrefix(out_, all));
    return seen_.isRefused = seen_.isLast = true;
  }

  void checkHead(const std::string& head, const Request& request, const Answer& answer, const Content& file) {
    const char* const reasons[] = {"200 OK", "206 Partial Content", "304 Not Modified"};
    const char* const reason = reasons[answer.status == 200 ? 0 : answer.status == 206 ? 1 : 2];
    std::string expected = std::string("HTTP/1.1 ") + reason + "\r\n" + file.heads();
    if (answer.status == 206)
      expected += "content-range: bytes " + std::to_string(answer.first) + "-" + std::to_string(answer.end - 1) + "/" +
                  std::to_string(file.bytes) + "\r\n";
    const uint64_t bytes = answer.status == 206 ? answer.end - answer.first : file.bytes;
    if (answer.status != 304) expected += "content-length: " + std::to_string(bytes) + "\r\n";
    CHECK(isPrefix(expected, head));
    const bool isLast = head.find("Connection: close\r\n") != head.npos;
    CHECK(isLast || !request.close);
    seen_.isLast = isLast;
  }

  bool readBody(const Request& request, const Answer& answer, const Content& file) {
    const size_t bytes = answer.end - answer.first;
    const size_t there = std::min(bytes, out_.size());
    CHECK(out_.substr(0, there) == bytesOf(file).substr(answer.first, there));
    out_.remove_prefix(there);
    seen_.bodyBytes += there;
    if (there < bytes) return false;
    seen_.whole++;
    seen_.answeredBytes += request.headBytes;
    in_.remove_prefix(request.headBytes);
    return true;
  }

  std::string_view out_;
  std::string_view in_;
  const Settings& settings_;
  const bool isTls_;
  Transcript seen_;
};

}  // namespace nearcast
