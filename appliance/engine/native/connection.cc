#include "connection.h"

#include <errno.h>

#include <algorithm>
#include <cstring>

namespace nearcast {
namespace {

// The value of the query's parameter CMCD, still encoded.
std::string_view cmcdOf(std::string_view query) {
  constexpr std::string_view mark = "&CMCD=", start = mark.substr(1);
  const size_t at = query.starts_with(start) ? 0 : query.find(mark) + 1;  // 0 where there is none
  if (!query.substr(at).starts_with(start)) return {};
  const std::string_view value = query.substr(at + start.size());
  return value.substr(0, value.find('&'));
}

}  // namespace

Shared::Shared(Settings from)
    : settings(std::move(from)),
      files(settings.filesMax),
      grants(settings.grantsMax),
      records(settings.recordsMax),
      counters(settings.counters),
      input(std::make_unique_for_overwrite<char[]>(inputBytes)),
      plain(std::make_unique_for_overwrite<char[]>(batchBytesMax)) {
  cipher.reserve(cipherBytesMax(batchBytesMax));
}

Connection::Connection(Host& host, Shared& shared, const Address& client, std::unique_ptr<TlsSession> tls)
    : host_(host), shared_(shared), tls_(std::move(tls)), client_(client), movedNs_(host.nowNs()) {}

Connection::~Connection() {
  state_ = State::over;
  leave(true);
}

void Connection::onEvent(bool canRead, bool canWrite, bool isGone, bool isEnd) {
  endComes_ |= isEnd;
  canRead_ |= canRead || isGone;
  canWrite_ |= canWrite;
  // Lingering, both sides have closed: what the client sent before it did is read first, or closing would be a reset.
  if (isGone && state_ != State::reading && state_ != State::stream && state_ != State::lingering)
    gone();
  else
    run();
}

void Connection::run() {
  turnLeft_ = shared_.settings.turnBytes;
  while (state_ != State::over && pushOut() == Step::again && step() == Step::again) continue;
}

Connection::Step Connection::step() {
  switch (state_) {
    case State::reading:
      return readHead();
    case State::sending:
      return send();
    case State::stream:
      return runStream();
    case State::lingering:
      return runLinger();
    default:
      return Step::wait;
  }
}

// --- reading --------------------------------------------------------------------------------------

Connection::Step Connection::readHead() {
  if (turnLeft_ == 0) return later();
  if (!isParsed_ && !input_.empty()) return parse(input_);
  // The other server answers a head that was cut off.
  if (inputEnded_ && !input_.empty()) return handOver(input_, Reason::syntax);
  // RFC 8446 §6.1: whoever will write no more says so, or what came before passes for cut off.
  if (inputEnded_ || (finishing_ && input_.empty())) return tls_ ? linger() : end();
  if (!canRead_) return Step::wait;
  std::string_view bytes;
  const ssize_t result = receive(bytes);
  if (result == -EAGAIN) return Step::wait;
  if (result < 0) return end();
  if (result == 0) inputEnded_ = true;
  if (bytes.empty() || state_ != State::reading) return Step::again;
  if (tls_ && tls_->isH2()) return handOver(bytes, Reason::protocol);
  if (input_.empty()) return parse(bytes);
  input_.append(bytes);
  return parse(input_);
}

// Receives once; `bytes` is plaintext, good until the next call, and may be empty in a handshake.
ssize_t Connection::receive(std::string_view& bytes) {
  const ssize_t count = host_.receive(*this, shared_.input.get(), inputBytes);
  // Edge-triggered: what did not fill the room has emptied the socket. An end is not told of twice.
  if (count < static_cast<ssize_t>(inputBytes)) canRead_ = count == 0 || (count > 0 && endComes_);
  if (count <= 0) return count;
  bytes = {shared_.input.get(), static_cast<size_t>(count)};
  charge(static_cast<size_t>(count));
  if (!tls_) return count;
  shared_.decrypted.clear();
  const TlsState state = tls_->receive(bytes, shared_.decrypted, output_);
  if (tls_->isReady() && !handshakeCounted_) {
    handshakeCounted_ = true;
    shared_.counters.add(Counter::tlsHandshakes);
    if (tls_->isResumed()) shared_.counters.add(Counter::tlsResumed);
  }
  if (state == TlsState::failed && !handshakeCounted_) shared_.counters.add(Counter::tlsFailed);
  pushOut();
  if (state == TlsState::failed) return -EPROTO;
  if (state == TlsState::closed) inputEnded_ = true;
  bytes = shared_.decrypted;
  return count;
}

Connection::Step Connection::parse(std::string_view bytes) {
  Request request;
  Reason reason;
  switch (parseRequest(bytes, scanned_, request, reason)) {
    case ParseResult::incomplete:
      // The time that a head may take counts from its first byte.
      if (input_.empty()) movedNs_ = host_.nowNs();
      keep(bytes);
      isParsed_ = true;
      return Step::again;
    case ParseResult::unusual:
      return handOver(bytes, reason);
    case ParseResult::complete:
      scanned_ = 0;
      return begin(request, bytes);
  }
  return end();
}

void Connection::keep(std::string_view bytes) {
  if (bytes.empty()) {
    if (input_.capacity() > 15) drop(input_);
    input_.clear();
  } else if (bytes.data() < input_.data() || bytes.data() > input_.data() + input_.size()) {
    input_.assign(bytes);
  } else {
    input_.erase(0, input_.size() - bytes.size());
  }
  isParsed_ = false;
}

// The answer to a request that may not begin.
const std::string* Connection::refusalOf(const Request& request) const {
  const Settings& settings = shared_.settings;
  const std::string* const refusal = shared_.isDraining ? &settings.draining : &settings.overloaded;
  if (shared_.admission == Admission::nobody) return refusal;
  // In a drain JavaScript is asked who plays; under load nothing is spent on strangers.
  if (shared_.admission == Admission::known && !shared_.isDraining && !shared_.grants.isKnown(request.token))
    return refusal;
  return isSurplus || shared_.live >= settings.requestsMax ? &settings.overloaded : nullptr;
}

Connection::Step Connection::begin(const Request& request, std::string_view bytes) {
  // What was let in before JavaScript was asked stays in.
  const std::string* const refusal = isDecided_ ? nullptr : refusalOf(request);
  if (refusal != nullptr) return refuse(*refusal, request.isHead);
  const uint64_t nowNs = host_.nowNs();
  if (!isDecided_) {
    answer_ = {};
    answer_.startedNs = nowNs;
    answer_.startedMs = shared_.unixMs;
  }
  const Grant* grant = shared_.grants.find(request.token, shared_.unixMs / 1000, nowNs);
  if (grant == nullptr) return park(request, bytes);
  if (grant->scope == Scope::fill && shared_.shedsFill) return refuse(shared_.settings.overloaded, request.isHead);
  // The two stand together in the target, as they do in the tables.
  const std::string_view name(request.file.data(), request.file.size() + 1 + request.ext.size());
  if (!grant->allows(client_) || !grant->covers(name)) return handOver(bytes, Reason::policy);
  std::shared_ptr<OpenFile> file = shared_.files.find(name);
  if (file == nullptr) return park(request, bytes);
  answer_.scope = grant->scope;
  Reason reason;
  if (!plan(request, *file, reason)) return handOver(bytes, reason);
  answer_.file = std::move(file);
  isDecided_ = false;
  isKnown_ = true;
  if (shared_.settings.recordsMax > 0) keepCmcd(request);
  keep(bytes.substr(request.headBytes));
  state_ = State::sending;
  shared_.live++;
  movedNs_ = windowNs_ = nowNs;
  windowBytes_ = 0;
  return Step::again;
}

// RFC 9110 §13.2.2 and §14.2 for what can be decided by comparing with the ETag; appliance/core/respond.ts has all of it.
bool Connection::plan(const Request& request, const OpenFile& file, Reason& reason) {
  answer_.isHead = request.isHead;
  answer_.close = request.close;
  answer_.status = 200;
  answer_.first = answer_.at = answer_.end = 0;
  if (!request.ifNoneMatch.empty()) {
    std::string_view tag = request.ifNoneMatch;
    reason = Reason::condition;
    if (tag.find(',') != std::string_view::npos) return false;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == file.etag || request.ifNoneMatch == "*") {
      answer_.status = 304;
      return true;
    }
  }
  if (request.isHead) return true;
  bool isRanged = request.rangeKind != RangeKind::none;
  if (isRanged && !request.ifRange.empty()) {
    reason = Reason::condition;
    if (request.ifRange[0] == '"')
      isRanged = request.ifRange == file.etag;
    else if (request.ifRange.starts_with("W/"))
      isRanged = false;
    else
      return false;
  }
  answer_.end = file.sizeBytes;
  if (!isRanged) return true;
  reason = Reason::range;
  if (request.rangeKind == RangeKind::suffix) {
    if (request.first == 0 || file.sizeBytes == 0) return false;
    answer_.at = file.sizeBytes - std::min(request.first, file.sizeBytes);
  } else {
    if (request.first >= file.sizeBytes) return false;
    answer_.at = request.first;
    if (request.rangeKind == RangeKind::fromTo) answer_.end = std::min(request.last + 1, file.sizeBytes);
  }
  answer_.first = answer_.at;
  answer_.status = 206;
  return true;
}

void Connection::keepCmcd(const Request& request) {
  cmcd_.reset();
  const std::string_view query = cmcdOf(request.query);
  if (!query.empty()) {
    cmcd_ = std::make_unique<std::string>("q=");
    cmcd_->append(query.substr(0, cmcdBytesMax));
    return;
  }
  const std::string_view headers[] = {request.cmcdObject, request.cmcdRequest, request.cmcdSession, request.cmcdStatus};
  for (const std::string_view header : headers) {
    // A part of one would make the whole unreadable.
    if (header.empty() || header.size() > cmcdBytesMax) continue;
    if (!cmcd_) cmcd_ = std::make_unique<std::string>("h=");
    if (cmcd_->size() > 2) cmcd_->push_back(',');
    cmcd_->append(header);
  }
}

// --- deciding elsewhere ---------------------------------------------------------------------------

Connection::Step Connection::park(const Request& request, std::string_view bytes) {
  // It was asked already: what is still missing is not to be had.
  if (isDecided_) return handOver(bytes, Reason::policy);
  if (!host_.park(*this)) return refuse(shared_.settings.overloaded, request.isHead);
  keep(bytes);
  state_ = State::parked;
  shared_.live++;
  movedNs_ = answer_.startedNs;
  shared_.counters.add(Counter::parkedTotal);
  shared_.counters.add(Counter::parked);
  return Step::wait;
}

bool Connection::parkedFor(Request& request) const {
  size_t scanned = 0;
  Reason reason;
  return state_ == State::parked && parseRequest(input_, scanned, request, reason) == ParseResult::complete;
}

void Connection::decided(bool again) {
  if (state_ != State::parked) return;
  shared_.live--;
  shared_.counters.add(Counter::parked, -1);
  state_ = State::reading;
  isDecided_ = true;
  if (again)
    run();
  else
    handOver(input_, Reason::policy);
}

Connection::Step Connection::handOver(std::string_view bytes, Reason reason) {
  shared_.counters.handedOver(reason);
  isDecided_ = false;
  isStream_ = tls_ != nullptr;
  state_ = isStream_ ? State::stream : State::over;
  host_.handOver(*this, bytes);
  if (!isStream_) return Step::wait;
  movedNs_ = host_.nowNs();
  keep({});
  return later();
}

Connection::Step Connection::refuse(const std::string& text, bool isHead) {
  const auto& settings = shared_.settings;
  const bool isLate = &text == &settings.timeout;
  shared_.counters.add(isLate                         ? Counter::timeoutHeaders
                       : &text == &settings.draining ? Counter::shedDraining
                                                      : Counter::shedOverloaded);
  shared_.counters.status(isLate ? 408 : 429);
  const std::string_view answer = std::string_view(text).substr(0, isHead ? text.find("\r\n\r\n") + 4 : text.size());
  const size_t line = answer.find('\n') + 1;
  std::string dated(answer.substr(0, line));
  dated.append("Date: ").append(shared_.date).append("\r\n").append(answer.substr(line));
  if (!tls_)
    output_.append(dated);
  else if (!tls_->encrypt(dated, output_))
    return end();
  return linger();
}

}  // namespace nearcast
