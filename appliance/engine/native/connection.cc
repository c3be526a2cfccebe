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
  if (state_ == State::reading) return readHead();
  if (state_ == State::sending) return send();
  if (state_ == State::stream) return runStream();
  return state_ == State::lingering ? runLinger() : Step::wait;
}

// --- reading --------------------------------------------------------------------------------------

Connection::Step Connection::readHead() {
  if (turnLeft_ == 0) return later();
  if (scanned_ < input_.size()) return parse(input_);
  // The other server answers a head that was cut off.
  if (inputEnded_ && !input_.empty()) return handOver(input_, Reason::syntax);
  // RFC 8446 §6.1: whoever will write no more says so, or what came before passes for cut off.
  if (inputEnded_ || (finishing_ && input_.empty())) return tls_ ? linger() : end();
  if (!canRead_) return Step::wait;
  std::string_view bytes;
  const ssize_t result = receive(bytes);
  if (result < 0) return result == -EAGAIN ? Step::wait : end();
  if (bytes.empty() || state_ != State::reading) return Step::again;
  if (tls_ && tls_->isH2) return handOver(bytes, Reason::protocol);
  if (input_.empty()) return parse(bytes);
  input_.append(bytes);
  return parse(input_);
}

// Receives once; `bytes` is plaintext, good until the next call, and may be empty in a handshake.
ssize_t Connection::receive(std::string_view& bytes) {
  const ssize_t count = host_.receive(*this, shared_.input.get(), inputBytes);
  // Edge-triggered: what did not fill the room has emptied the socket. An end is not told of twice.
  if (count < static_cast<ssize_t>(inputBytes)) canRead_ = count == 0 || (count > 0 && endComes_);
  if (count == 0) inputEnded_ = true;
  if (count <= 0) return count;
  bytes = {shared_.input.get(), static_cast<size_t>(count)};
  charge(static_cast<size_t>(count));
  if (!tls_) return count;
  shared_.decrypted.clear();
  const bool wasReady = tls_->isReady;
  const TlsState state = tls_->receive(bytes, shared_.decrypted, output_);
  if (tls_->isReady && !wasReady) {
    shared_.counters.add(Counter::tlsHandshakes);
    if (tls_->isResumed) shared_.counters.add(Counter::tlsResumed);
  }
  if (state == TlsState::failed && !tls_->isReady) shared_.counters.add(Counter::tlsFailed);
  pushOut();
  if (state == TlsState::failed) return -EPROTO;
  if (state == TlsState::closed) inputEnded_ = true;
  bytes = shared_.decrypted;
  return count;
}

Connection::Step Connection::parse(std::string_view bytes) {
  Request request;
  Reason reason;
  const ParseResult result = parseRequest(bytes, scanned_, request, reason);
  if (result == ParseResult::unusual) return handOver(bytes, reason);
  if (result == ParseResult::complete) {
    scanned_ = 0;
    return begin(request, bytes);
  }
  // The time that a head may take counts from its first byte.
  if (input_.empty()) movedNs_ = host_.nowNs();
  keep(bytes);
  return Step::again;
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
}

std::optional<Refusal> Connection::refusalOf(const Request& request) const {
  const Refusal refusal = shared_.isDraining ? Refusal::draining : Refusal::overloaded;
  if (shared_.admission == Admission::nobody) return refusal;
  // In a drain JavaScript is asked who plays; under load nothing is spent on strangers.
  if (shared_.admission == Admission::known && !shared_.isDraining && !shared_.grants.isKnown(request.token))
    return refusal;
  if (!isSurplus && shared_.counters.get(Counter::liveRequests) < shared_.settings.requestsMax) return {};
  return Refusal::overloaded;
}

Connection::Step Connection::begin(const Request& request, std::string_view bytes) {
  // What was let in before JavaScript was asked stays in.
  const auto refusal = isDecided_ ? std::nullopt : refusalOf(request);
  if (refusal) return refuse(*refusal, request.isHead);
  const uint64_t nowNs = host_.nowNs();
  if (!isDecided_) {
    answer_ = {};
    answer_.startedNs = nowNs;
    answer_.timeMs = shared_.unixMs;
  }
  const Grant* grant = shared_.grants.find(request.token, shared_.unixMs / 1000, nowNs);
  if (grant == nullptr) return park(request, bytes);
  if (grant->scope == Scope::fill && shared_.shedsFill) return refuse(Refusal::overloaded, request.isHead);
  // The two stand together in the target, as they do in the tables.
  const std::string_view name(request.file.data(), request.file.size() + 1 + request.ext.size());
  if (!grant->allows(client_) || !grant->covers(name)) return handOver(bytes, Reason::policy);
  std::shared_ptr<OpenFile> file = shared_.files.find(name);
  if (file == nullptr) return park(request, bytes);
  answer_.scope = grant->scope;
  if (const auto reason = plan(request, *file)) return handOver(bytes, *reason);
  answer_.file = std::move(file);
  isDecided_ = false;
  isKnown_ = true;
  if (shared_.settings.recordsMax > 0) keepCmcd(request);
  keep(bytes.substr(request.headBytes));
  state_ = State::sending;
  shared_.counters.add(Counter::liveRequests);
  movedNs_ = windowNs_ = nowNs;
  windowBytes_ = 0;
  return Step::again;
}

// RFC 9110 §13.2.2 and §14.2 for what can be decided by comparing with the ETag; appliance/core/respond.ts has all of it.
std::optional<Reason> Connection::plan(const Request& request, const OpenFile& file) {
  answer_.isHead = request.isHead;
  answer_.close = request.close;
  answer_.status = 200;
  answer_.first = answer_.at = answer_.end = 0;
  if (!request.ifNoneMatch.empty()) {
    std::string_view tag = request.ifNoneMatch;
    if (tag.find(',') != std::string_view::npos) return Reason::condition;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == file.etag || request.ifNoneMatch == "*") {
      answer_.status = 304;
      return {};
    }
  }
  if (request.isHead) return {};
  bool isRanged = request.rangeKind != RangeKind::none;
  if (isRanged && !request.ifRange.empty()) {
    if (request.ifRange[0] != '"' && !request.ifRange.starts_with("W/")) return Reason::condition;
    isRanged = request.ifRange == file.etag;
  }
  answer_.end = file.sizeBytes;
  if (!isRanged) return {};
  const bool isSuffix = request.rangeKind == RangeKind::suffix;
  if (isSuffix ? request.first == 0 || file.sizeBytes == 0 : request.first >= file.sizeBytes) return Reason::range;
  answer_.first = isSuffix ? file.sizeBytes - std::min(request.first, file.sizeBytes) : request.first;
  if (request.rangeKind == RangeKind::fromTo) answer_.end = std::min(request.last + 1, file.sizeBytes);
  answer_.at = answer_.first;
  answer_.status = 206;
  return {};
}

void Connection::keepCmcd(const Request& request) {
  const std::string_view headers[] = {request.cmcdObject, request.cmcdRequest, request.cmcdSession, request.cmcdStatus};
  const std::string_view query = cmcdOf(request.query);
  std::string cmcd;
  if (!query.empty()) cmcd.append("q=").append(query.substr(0, cmcdBytesMax));
  for (const std::string_view header : headers)
    // A part of one would make the whole unreadable.
    if (query.empty() && !header.empty() && header.size() <= cmcdBytesMax)
      cmcd.append(cmcd.empty() ? "h=" : ",").append(header);
  cmcd_ = cmcd.empty() ? nullptr : std::make_unique<std::string>(std::move(cmcd));
}

// --- deciding elsewhere ---------------------------------------------------------------------------

Connection::Step Connection::park(const Request& request, std::string_view bytes) {
  // It was asked already: what is still missing is not to be had.
  if (isDecided_) return handOver(bytes, Reason::policy);
  if (!host_.park(*this)) return refuse(Refusal::overloaded, request.isHead);
  keep(bytes);
  state_ = State::parked;
  shared_.counters.add(Counter::liveRequests);
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
  shared_.counters.add(Counter::liveRequests, -1);
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
  state_ = tls_ ? State::stream : State::over;
  host_.handOver(*this, bytes);
  movedNs_ = host_.nowNs();
  keep({});
  return tls_ ? later() : Step::wait;
}

Connection::Step Connection::refuse(Refusal why, bool isHead) {
  shared_.counters.add(static_cast<Counter>(static_cast<size_t>(Counter::timeoutHeaders) + static_cast<size_t>(why)));
  shared_.counters.status(why == Refusal::timeout ? 408 : 429);
  const std::string_view text = shared_.settings.refusals[static_cast<size_t>(why)];
  const std::string_view answer = isHead ? text.substr(0, text.find("\r\n\r\n") + 4) : text;
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
