#include "connection.h"

#include <errno.h>

#include <algorithm>
#include <cstring>

namespace nearcast {
namespace {

// The value of the query's parameter CMCD, still encoded.
std::string_view cmcdOf(std::string_view query) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (part.starts_with("CMCD=")) return part.substr(5);
    query.remove_prefix(std::min(query.size(), part.size() + 1));
  }
  return {};
}

}  // namespace

Shared::Shared(Settings settings, size_t filesMax, size_t grantsMax, size_t recordsMax, double* counterSlots)
    : settings(std::move(settings)),
      files(filesMax),
      grants(grantsMax),
      records(recordsMax),
      counters(counterSlots),
      input(std::make_unique_for_overwrite<char[]>(inputBytes)),
      plain(std::make_unique_for_overwrite<char[]>(batchBytesMax)),
      cipher(std::make_unique_for_overwrite<char[]>(cipherBytesMax(batchBytesMax))) {
  keepsRecords = recordsMax > 0;
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
  for (Step step = Step::again; step == Step::again;) {
    switch (state_) {
      case State::reading:
        step = readHead();
        break;
      case State::sending:
        step = send();
        break;
      case State::stream:
        step = runStream();
        break;
      case State::lingering:
        step = runLinger();
        break;
      default:
        return;
    }
  }
}

// --- reading --------------------------------------------------------------------------------------

Connection::Step Connection::readHead() {
  if (!output_.empty() && pushOut() == Step::wait) return Step::wait;
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
  const TlsState state = tls_->receive(bytes, shared_.decrypted);
  output_.append(tls_->output());
  tls_->consume(tls_->output().size());
  if (tls_->isReady() && !handshakeCounted_) {
    handshakeCounted_ = true;
    shared_.counters.add(Counter::tlsHandshakes);
    if (tls_->isResumed()) shared_.counters.add(Counter::tlsResumed);
  }
  if (state == TlsState::failed && !handshakeCounted_) shared_.counters.add(Counter::tlsFailed);
  if (!output_.empty()) pushOut();
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

bool Connection::mayBegin(const Request& request, const std::string*& refusal) const {
  refusal = shared_.isDraining ? &shared_.settings.draining : &shared_.settings.overloaded;
  if (shared_.admission == Admission::nobody) return false;
  // In a drain JavaScript is asked who plays; under load nothing is spent on strangers.
  if (shared_.admission == Admission::known && !shared_.isDraining && !shared_.grants.isKnown(request.token))
    return false;
  refusal = &shared_.settings.overloaded;
  return !isSurplus && shared_.live < shared_.settings.requestsMax;
}

Connection::Step Connection::begin(const Request& request, std::string_view bytes) {
  const std::string* refusal = nullptr;
  // What was let in before JavaScript was asked stays in.
  if (!isDecided_ && !mayBegin(request, refusal)) return refuse(*refusal, request.isHead);
  const uint64_t nowNs = host_.nowNs();
  if (!isDecided_) {
    answer_ = {};
    answer_.startedNs = nowNs;
    answer_.startedMs = host_.unixMs();
  }
  const Grant* grant = shared_.grants.find(request.token, host_.unixMs() / 1000, nowNs);
  if (grant == nullptr) return park(request, bytes);
  if (grant->scope == Scope::fill && shared_.shedsFill) return refuse(shared_.settings.overloaded, request.isHead);
  // The two stand together in the target, as they do in the tables.
  const std::string_view name(request.file.data(), request.file.size() + 1 + request.ext.size());
  if (!grant->allows(client_) || !grant->covers(name)) return handOver(bytes, Reason::policy);
  OpenFile* file = shared_.files.acquire(name);
  if (file == nullptr) return park(request, bytes);
  answer_.scope = grant->scope;
  Reason reason;
  if (!plan(request, *file, reason)) {
    shared_.files.release(file);
    return handOver(bytes, reason);
  }
  answer_.file = file;
  isDecided_ = false;
  isKnown_ = true;
  if (shared_.keepsRecords) keepCmcd(request);
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
  for (const std::string_view header : request.cmcd) {
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
  if (tls_) {
    state_ = State::stream;
    isStream_ = true;
    movedNs_ = host_.nowNs();
    host_.beginStream(*this, bytes);
    keep({});
    host_.runLater(*this);
    return Step::wait;
  }
  state_ = State::over;
  host_.handOver(*this, bytes);
  return Step::wait;
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
  dated.append("Date: ").append(host_.date()).append("\r\n").append(answer.substr(line));
  if (!tls_)
    output_.append(dated);
  else if (!tls_->isReady() || !encrypt(dated))
    return end();
  return linger();
}

}  // namespace nearcast
