#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "connection.h"
#include "text.h"

// How a connection answers: heads, and bodies from memory or from a disk, plain or encrypted.

namespace nearcast {
namespace {

constexpr uint64_t msNs = 1'000'000;
constexpr size_t corkAboveBytes = 64 << 10;  // measured: below it the cork costs more than it saves
constexpr size_t requestCostBytes = 4 << 10;  // of a turn: who asks for nothing but heads lets others in too
constexpr uint32_t coldBytesMin = 64 << 10;
constexpr size_t batchBytesMin = 16 << 10;
constexpr size_t batchBytes = 256 << 10;

// ADR 6: an address leaves as an HMAC under a key that is gone after a day.
uint64_t pseudonymOf(const Address& address, const std::string& key) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), address.data(), address.size(), digest, nullptr);
  uint64_t first = 0;
  memcpy(&first, digest, sizeof first);
  return __builtin_bswap64(first);
}

}  // namespace

// The same bytes that Node's server would send for appliance/core/respond.ts, in the same order.
size_t Connection::writeHead(char* out) {
  const OpenFile& file = *answer_.file;
  char* at = out;
  if (answer_.status == 304) {
    at = put(at, file.notModified);
  } else {
    const bool isPart = answer_.status == 206;
    at = put(at, isPart ? file.part : file.whole);
    if (isPart) at = putAll(at, "content-range: bytes ", answer_.first, "-", answer_.end - 1, "/");
    if (isPart) at = putAll(at, file.sizeBytes, "\r\n");
    const uint64_t length = isPart ? answer_.end - answer_.first : file.sizeBytes;
    at = putAll(at, "content-length: ", length, "\r\n");
    const uint64_t delayMs = (host_.nowNs() - answer_.startedNs) / msNs;
    const auto& timing = shared_.settings.timing;
    at = putAll(at, timing[0], delayMs, timing[1], delayMs, timing[2]);
  }
  at = put(put(put(at, "Date: "), shared_.date), "\r\n");
  if (finishing_) answer_.close = true;
  if (answer_.close) return static_cast<size_t>(put(at, "Connection: close\r\n\r\n") - out);
  at = put(put(at, "Connection: keep-alive\r\nKeep-Alive: timeout="), shared_.settings.keepAliveTimeoutMs / 1000);
  return static_cast<size_t>(put(at, "\r\n\r\n") - out);
}

Connection::Step Connection::send() {
  if (answer_.headSent && answer_.at == answer_.end) return complete();
  if (!canWrite_) return Step::wait;
  if (turnLeft_ == 0) return later();
  return tls_ ? sendEncrypted() : sendPlain();
}

Connection::Step Connection::sendPlain() {
  const uint64_t left = answer_.end - answer_.at;
  const size_t turn = std::min<uint64_t>(left, turnLeft_);
  if (turn > 0 && !lent_ && !answer_.file->isHot(answer_.at, turn, shared_.unixMs, shared_.probe)) return askDisk();
  if (!answer_.headSent) {
    answer_.headSent = true;
    const size_t bytes = writeHead(shared_.plain.get());
    if (left > corkAboveBytes) host_.cork(*this, isCorked_ = true);
    if (push({shared_.plain.get(), bytes}, 0, left > 0) == Step::wait || left == 0) return Step::again;
  }
  const std::string_view cold = cold_.substr(0, turn);
  const ssize_t sent = lent_ ? host_.send(*this, cold, cold.size() < left)
                             : host_.sendFile(*this, answer_.file->fd->get(), answer_.at, turn);
  if (sent == 0 || sent == -EIO) return fail(static_cast<int>(-sent));
  if (sent < 0) return untaken(sent);
  answer_.at += static_cast<uint64_t>(sent);
  if (lent_) took(static_cast<uint64_t>(sent));
  moved(static_cast<uint64_t>(sent));
  return Step::again;
}

Connection::Step Connection::sendEncrypted() {
  char* const plain = shared_.plain.get();
  const size_t want = std::min<uint64_t>(answer_.end - answer_.at, std::min(batch_, turnLeft_));
  const size_t head = answer_.headSent ? 0 : writeHead(plain);
  // What was lent is encrypted from where it is; only behind a head it is copied.
  std::string_view source = cold_.substr(0, want);
  size_t body = source.size();
  if (lent_ && head > 0) body = source.copy(plain + head, batchBytesMin);
  if (!lent_ && want > 0) {
    const ssize_t got = host_.readNow(answer_.file->fd->get(), plain + head, want, answer_.at);
    if (got == -EAGAIN) return askDisk();
    if (got <= 0) return fail(got == 0 ? 0 : EIO);
    body = static_cast<size_t>(got);
  }
  if (!lent_ || head > 0) source = {plain, head + body};
  std::string& cipher = shared_.cipher;
  cipher.clear();
  if (!tls_->encrypt(source, cipher)) return gone();
  answer_.headSent = true;
  answer_.at += body;
  if (lent_) took(body);
  if (push(cipher, body, false) == Step::again)
    batch_ = std::min(batch_ * 2, batchBytes);
  else  // A client that takes less at a time is given less: what it has not taken stands in our memory.
    batch_ = std::clamp(cipher.size() - std::min(cipher.size(), output_.size()), batchBytesMin, batchBytes);
  return Step::again;
}

// Sends what it can now; the rest stays in output_. `wait` where there is a rest, or nobody to take it.
Connection::Step Connection::push(std::string_view bytes, uint64_t ofFile, bool more) {
  const ssize_t sent = host_.send(*this, bytes, more);
  if (sent < 0) untaken(sent);
  if (state_ == State::over) return Step::wait;
  if (answer_.ttfbNs == 0) answer_.ttfbNs = host_.nowNs();
  if (sent == static_cast<ssize_t>(bytes.size())) {
    if (ofFile > 0) moved(ofFile);
    return Step::again;
  }
  canWrite_ = false;
  output_.assign(bytes.substr(static_cast<size_t>(std::max<ssize_t>(sent, 0))));
  outputAt_ = 0;
  outputBody_ = ofFile;
  return Step::wait;
}

Connection::Step Connection::pushOut() {
  if (output_.empty()) return Step::again;
  if (!canWrite_) return Step::wait;
  const bool more = state_ == State::sending && answer_.at < answer_.end;
  const ssize_t sent = host_.send(*this, std::string_view(output_).substr(outputAt_), more);
  if (sent < 0) return untaken(sent);
  outputAt_ += static_cast<size_t>(sent);
  movedNs_ = host_.nowNs();
  if (outputAt_ < output_.size()) return untaken(-EAGAIN);
  drop(output_);
  outputAt_ = 0;
  if (outputBody_ > 0) moved(std::exchange(outputBody_, 0));
  return Step::again;
}

// The kernel takes no more: it tells when it will, or the client is gone.
Connection::Step Connection::untaken(ssize_t error) {
  if (error != -EAGAIN) return gone();
  canWrite_ = false;
  return Step::wait;
}

// Bytes of the file have gone to the kernel.
void Connection::moved(uint64_t ofFile) {
  answer_.sentBytes += ofFile;
  windowBytes_ += ofFile;
  charge(ofFile);
  movedNs_ = host_.nowNs();
  if (!answer_.file->isContent()) return;
  answer_.file->sent(answer_.scope, ofFile);
  shared_.counters.add(Counter::bytesSent, static_cast<double>(ofFile));
}

Connection::Step Connection::askDisk() {
  ReadJob job;
  job.file = answer_.file->fd;
  job.offset = answer_.at;
  job.bytes = static_cast<uint32_t>(std::min<uint64_t>(answer_.end - answer_.at, coldBytes_));
  job.priority = answer_.scope == Scope::fill ? Priority::fill : Priority::viewer;
  job.owner = id;
  if (!host_.readCold(*this, answer_.file->disk, std::move(job))) {
    if (answer_.headSent) return fail(EBUSY);
    leave(true);
    return refuse(Refusal::overloaded, answer_.isHead);
  }
  answer_.cache = CacheState::cold;
  state_ = State::disk;
  return Step::wait;
}

void Connection::onRead(ReadJob job) {
  if (state_ != State::disk) return;
  if (job.got == 0) {
    fail(job.error);
  } else {
    lent_ = std::move(job.data);
    cold_ = {lent_.get(), job.got};
    lentNs_ = host_.nowNs();
    state_ = State::sending;
  }
  run();
}

void Connection::took(uint64_t cold) {
  cold_.remove_prefix(cold);
  if (cold_.empty()) dropCold();
}

// Who took all of it is lent more the next time.
void Connection::dropCold() {
  if (!lent_) return;
  coldBytes_ = cold_.empty() ? std::min<uint32_t>(coldBytes_ * 2, readBytesMax) : coldBytesMin;
  cold_ = {};
  lent_.reset();
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
  // What went whole was over when its last byte went.
  const uint64_t nowNs = isCut ? host_.nowNs() : std::max(movedNs_, answer_.ttfbNs);
  if (answer_.headSent) {
    Record record;
    static_cast<Outcome&>(record) = answer_;
    if (answer_.end > 0)
      record.last = answer_.end - 1;
    else
      record.first = 1;  // nothing of it was asked for
    record.durationUs = static_cast<uint32_t>(std::min<uint64_t>((nowNs - answer_.startedNs) / 1000, UINT32_MAX));
    if (answer_.ttfbNs != 0) record.ttfbUs = static_cast<uint32_t>((answer_.ttfbNs - answer_.startedNs) / 1000);
    record.isCut = isCut;
    if (tls_) memcpy(record.tls, tls_->version, 3);
    answer_.file->file().copy(record.file, sizeof record.file);
    answer_.file->ext().copy(record.ext, sizeof record.ext - 1);
    if (std::exchange(pseudonymKeys_, shared_.addressKeys) != shared_.addressKeys)
      pseudonym_ = pseudonymOf(client_, shared_.addressKey);
    record.client = pseudonym_;
    if (cmcd_) record.cmcd = std::move(*cmcd_);
    shared_.counters.answered(record.status, record.durationUs, record.ttfbUs);
    if (shared_.settings.recordsMax > 0) shared_.records.push(std::move(record));
  }
  cmcd_.reset();
  dropCold();
  answer_.file.reset();
  shared_.counters.add(Counter::liveRequests, -1);
  movedNs_ = nowNs;
}

// The file cannot be read on. What was promised is not finished, so that nobody takes it for whole (RFC 9112 §8);
// before a promise it reads as shed load: players then leave at once.
Connection::Step Connection::fail(int error) {
  if (error != EBUSY) host_.fileFailed(*answer_.file, error);
  shared_.counters.add(Counter::cutFile);
  leave(true);
  return answer_.headSent ? end() : refuse(Refusal::overloaded, answer_.isHead);
}

}  // namespace nearcast
