#include <errno.h>

#include <algorithm>
#include <cstring>

#include "connection.h"
#include "text.h"

// How a connection answers: heads, and bodies from memory or from a disk, plain or encrypted.

namespace nearcast {
namespace {

constexpr uint64_t msNs = 1'000'000;
constexpr size_t corkAboveBytes = 64 << 10;  // measured: below it the cork costs more than it saves
constexpr size_t requestCostBytes = 4 << 10;  // of a turn: who asks for nothing but heads lets others in too
constexpr uint64_t lentNsMax = 1'000'000'000;
constexpr uint32_t coldBytesMin = 64 << 10;
constexpr size_t batchBytesMin = 16 << 10;
constexpr size_t batchBytes = 256 << 10;

}  // namespace

// The same bytes that Node's server would send for appliance/core/respond.ts, in the same order.
size_t Connection::writeHead(char* out) {
  const OpenFile& file = *answer_.file;
  char* at = out;
  if (answer_.status == 304) {
    at = put(put(at, "HTTP/1.1 304 Not Modified\r\n"), file.heads.notModified);
  } else {
    const bool isPart = answer_.status == 206;
    at = put(at, isPart ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n");
    at = put(at, isPart ? file.heads.part : file.heads.whole);
    if (isPart) {
      at = putAll(at, "content-range: bytes ", answer_.first, "-", answer_.end - 1, "/", file.sizeBytes, "\r\n");
    }
    const uint64_t length = isPart ? answer_.end - answer_.first : file.sizeBytes;
    at = putAll(at, "content-length: ", length, "\r\n");
    const uint64_t delayMs = (host_.nowNs() - answer_.startedNs) / msNs;
    const auto& timing = shared_.settings.timing;
    if (timing.size() == 3) at = putAll(at, timing[0], delayMs, timing[1], delayMs, timing[2]);
  }
  at = put(put(put(at, "Date: "), host_.date()), "\r\n");
  if (finishing_) answer_.close = true;
  if (answer_.close) return static_cast<size_t>(put(at, "Connection: close\r\n\r\n") - out);
  at = put(put(at, "Connection: keep-alive\r\nKeep-Alive: timeout="), shared_.settings.keepAliveTimeoutMs / 1000);
  return static_cast<size_t>(put(at, "\r\n\r\n") - out);
}

Connection::Step Connection::send() {
  for (;;) {
    if (!output_.empty() && pushOut() == Step::wait) return Step::wait;
    if (state_ != State::sending) return Step::again;
    if (answer_.headSent && answer_.at == answer_.end) return complete();
    if (!canWrite_) return Step::wait;
    if (turnLeft_ == 0) return later();
    if ((tls_ ? sendEncrypted() : sendPlain()) == Step::wait) return Step::wait;
  }
}

Connection::Step Connection::sendPlain() {
  const uint64_t left = answer_.end - answer_.at;
  const size_t turn = std::min<uint64_t>(left, turnLeft_);
  if (turn > 0 && cold_ == nullptr && !answer_.file->isHot(answer_.at, turn, host_.unixMs(), shared_.probe))
    return askDisk();
  if (!answer_.headSent) {
    answer_.headSent = true;
    const size_t bytes = writeHead(shared_.plain.get());
    if (left > corkAboveBytes) host_.cork(*this, isCorked_ = true);
    if (push({shared_.plain.get(), bytes}, 0, left > 0) == Step::wait || left == 0) return Step::again;
  }
  if (cold_ != nullptr) {
    const size_t bytes = std::min<uint64_t>(coldEnd_ - coldAt_, turn);
    const ssize_t sent = host_.send(*this, {cold_ + coldAt_, bytes}, bytes < left);
    if (sent == -EAGAIN) canWrite_ = false;
    if (sent == -EAGAIN) return Step::wait;
    if (sent < 0) return gone();
    coldAt_ += static_cast<uint32_t>(sent);
    answer_.at += static_cast<uint64_t>(sent);
    moved(static_cast<uint64_t>(sent));
    if (coldAt_ == coldEnd_) releaseCold();
    return Step::again;
  }
  const ssize_t sent = host_.sendFile(*this, answer_.file->fd, answer_.at, turn);
  if (sent == -EAGAIN) canWrite_ = false;
  if (sent == -EAGAIN) return Step::wait;
  if (sent == 0) return fail(0);
  if (sent < 0) return sent == -EIO ? fail(EIO) : gone();
  answer_.at += static_cast<uint64_t>(sent);
  moved(static_cast<uint64_t>(sent));
  return Step::again;
}

Connection::Step Connection::sendEncrypted() {
  char* const plain = shared_.plain.get();
  const size_t want = std::min<uint64_t>(answer_.end - answer_.at, std::min(batch_, turnLeft_));
  size_t head = 0;
  size_t body = 0;
  std::string_view source;
  if (cold_ != nullptr) {
    body = std::min<size_t>(want, coldEnd_ - coldAt_);
    if (!answer_.headSent) head = writeHead(plain);
    // The head goes in front of a copy; what follows is encrypted from where it was read to.
    if (head > 0) body = std::min<size_t>(body, batchBytesMin);
    if (head > 0) memcpy(plain + head, cold_ + coldAt_, body);
    source = head > 0 ? std::string_view(plain, head + body) : std::string_view(cold_ + coldAt_, body);
  } else {
    if (!answer_.headSent) head = writeHead(plain);
    if (want > 0) {
      const ssize_t got = host_.readNow(answer_.file->fd, plain + head, want, answer_.at);
      if (got == -EAGAIN) return askDisk();
      if (got <= 0) return fail(got == 0 ? 0 : EIO);
      body = static_cast<size_t>(got);
    }
    source = {plain, head + body};
  }
  const size_t bytes = tls_->encryptInto(source, shared_.cipher.get(), cipherBytesMax(batchBytesMax));
  if (bytes == 0) return gone();
  answer_.headSent = true;
  answer_.at += body;
  if (cold_ != nullptr && (coldAt_ += static_cast<uint32_t>(body)) == coldEnd_) releaseCold();
  if (push({shared_.cipher.get(), bytes}, body, false) == Step::wait) {
    // A client that takes less at a time is given less: what it has not taken stands in our memory.
    batch_ = std::clamp(bytes - std::min(bytes, output_.size()), batchBytesMin, batchBytes);
    return Step::again;
  }
  batch_ = std::min(batch_ * 2, batchBytes);
  return Step::again;
}

// Sends what it can now; the rest stays in output_. `wait` where there is a rest, or nobody to take it.
Connection::Step Connection::push(std::string_view bytes, uint64_t ofFile, bool more) {
  ssize_t sent = host_.send(*this, bytes, more);
  if (sent < 0 && sent != -EAGAIN) {
    gone();
    return Step::wait;
  }
  if (sent < 0) sent = 0;
  if (answer_.ttfbNs == 0) answer_.ttfbNs = host_.nowNs();
  if (static_cast<size_t>(sent) == bytes.size()) {
    if (ofFile > 0) moved(ofFile);
    return Step::again;
  }
  canWrite_ = false;
  output_.assign(bytes.substr(static_cast<size_t>(sent)));
  outputAt_ = 0;
  outputBody_ = ofFile;
  return Step::wait;
}

Connection::Step Connection::pushOut() {
  if (!canWrite_) return Step::wait;
  const bool more = state_ == State::sending && answer_.at < answer_.end;
  const ssize_t sent = host_.send(*this, std::string_view(output_).substr(outputAt_), more);
  if (sent == -EAGAIN) canWrite_ = false;
  if (sent == -EAGAIN) return Step::wait;
  if (sent < 0) return gone();
  outputAt_ += static_cast<size_t>(sent);
  movedNs_ = host_.nowNs();
  if (outputAt_ < output_.size()) {
    canWrite_ = false;
    return Step::wait;
  }
  drop(output_);
  outputAt_ = 0;
  if (outputBody_ > 0) moved(outputBody_);
  outputBody_ = 0;
  return Step::again;
}

// Bytes of the file have gone to the kernel.
void Connection::moved(uint64_t ofFile) {
  answer_.sent += ofFile;
  windowBytes_ += ofFile;
  charge(ofFile);
  movedNs_ = host_.nowNs();
  if (!answer_.file->isContent()) return;
  answer_.file->sent(answer_.scope, ofFile);
  shared_.counters.add(answer_.scope == Scope::play ? Counter::bytesPlay : Counter::bytesFill,
                       static_cast<double>(ofFile));
}

Connection::Step Connection::askDisk() {
  const uint32_t bytes = static_cast<uint32_t>(std::min<uint64_t>(answer_.end - answer_.at, coldBytes_));
  const Priority priority = answer_.scope == Scope::play ? Priority::viewer : Priority::fill;
  if (!host_.readCold(*this, *answer_.file, answer_.at, bytes, priority)) {
    if (answer_.headSent) return fail(EBUSY);
    const bool isHead = answer_.isHead;
    leave(true);
    return refuse(shared_.settings.overloaded, isHead);
  }
  answer_.cache = CacheState::cold;
  state_ = State::disk;
  return Step::wait;
}

bool Connection::onRead(const ReadJob& job) {
  if (state_ != State::disk) return false;
  if (job.data == nullptr || job.got == 0) {
    fail(job.error);
    run();
    return false;
  }
  cold_ = job.data;
  coldNs_ = host_.nowNs();
  coldAt_ = 0;
  coldEnd_ = job.got;
  state_ = State::sending;
  run();
  return true;
}

// Who took all of it is lent more the next time.
void Connection::releaseCold() {
  if (cold_ == nullptr) return;
  host_.releaseRead(cold_, answer_.file->disk);
  cold_ = nullptr;
  coldBytes_ = coldAt_ == coldEnd_ ? std::min<uint32_t>(coldBytes_ * 2, readBytesMax) : coldBytesMin;
}

// The readers' memory is for all: who is slow to take it gives it back, and has it read again in smaller parts.
void Connection::reclaim(uint64_t nowNs) {
  if (cold_ != nullptr && nowNs > coldNs_ + lentNsMax) releaseCold();
}

Connection::Step Connection::complete() {
  leave(false);
  charge(requestCostBytes);
  if (answer_.close || finishing_) return linger();
  state_ = State::reading;
  return Step::again;
}

// The request is over: it leaves its record, and its file.
void Connection::leave(bool isCut) {
  if (answer_.file == nullptr) return;
  if (isCorked_) host_.cork(*this, isCorked_ = false);
  const uint64_t nowNs = host_.nowNs();
  const uint32_t durationUs = static_cast<uint32_t>(std::min<uint64_t>((nowNs - answer_.startedNs) / 1000, UINT32_MAX));
  const uint32_t ttfbUs = answer_.ttfbNs == 0 ? 0 : static_cast<uint32_t>((answer_.ttfbNs - answer_.startedNs) / 1000);
  if (answer_.headSent) {
    shared_.counters.answered(answer_.status, durationUs, ttfbUs);
    Record record;
    record.timeMs = answer_.startedMs;
    record.first = answer_.first;
    record.last = answer_.end - 1;
    if (answer_.end == 0) record.first = 1, record.last = 0;  // nothing of it was asked for
    record.sentBytes = answer_.sent;
    record.durationUs = durationUs;
    record.ttfbUs = ttfbUs;
    record.status = answer_.status;
    record.cache = answer_.cache;
    record.scope = answer_.scope;
    record.isHead = answer_.isHead;
    record.isCut = isCut;
    if (tls_) memcpy(record.tls, tls_->version(), 3);
    memcpy(record.file, answer_.file->file().data(), sizeof record.file);
    answer_.file->ext().copy(record.ext, sizeof record.ext - 1);
    if (pseudonymKey_ != shared_.addressKey) pseudonym_ = host_.pseudonym(client_);
    pseudonymKey_ = shared_.addressKey;
    record.client = pseudonym_;
    if (cmcd_) record.cmcd = std::move(*cmcd_);
    if (shared_.keepsRecords) shared_.records.push(record);
    shared_.counters.set(Counter::recordsDropped, static_cast<double>(shared_.records.dropped()));
  }
  cmcd_.reset();
  releaseCold();
  shared_.files.release(answer_.file);
  answer_.file = nullptr;
  shared_.live--;
  movedNs_ = nowNs;
}

// The file cannot be read on. What was promised is not finished, so that nobody takes it for whole (RFC 9112 §8);
// before a promise it reads as shed load: players then leave at once.
Connection::Step Connection::fail(int error) {
  if (error != EBUSY) host_.fileFailed(*answer_.file, error);
  shared_.counters.add(Counter::cutFile);
  const bool isPromised = answer_.headSent;
  leave(true);
  return isPromised ? end() : refuse(shared_.settings.overloaded, answer_.isHead);
}

}  // namespace nearcast
