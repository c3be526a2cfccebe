// A world for one connection, in which everything that may happen does, as the bytes of a script say: short sends,
// full buffers, broken sockets, reads that fail or come late, decisions of JavaScript. When the script is at its end
// the world is kind: all that can go well does.
#pragma once

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connection.h"
#include "test-check.h"

namespace nearcast {

class Script {
 public:
  explicit Script(std::string_view bytes) : bytes_(bytes) {}
  bool isOver() const { return bytes_.empty(); }
  // 0 is the kind choice.
  uint8_t next(unsigned choices = 256) {
    if (bytes_.empty()) return 0;
    const uint8_t byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return static_cast<uint8_t>(byte % choices);
  }
  // How much of `bytes` goes at once: at least one.
  size_t share(size_t bytes) {
    const size_t part = next();
    return part == 0 || bytes < 2 ? bytes : 1 + (bytes - 1) * (part - 1) / 255;
  }
  void end() { bytes_ = {}; }

 private:
  std::string_view bytes_;
};

// The files of this world: what they hold follows from the offset, and no two are alike.
struct Content {
  const char* ext;
  char digit;
  size_t bytes;
  std::string name() const { return std::string(64, digit) + "." + ext; }
  std::string etag() const { return "\"" + std::string(64, digit) + "\""; }
  std::string heads() const { return std::string("x-file: ") + digit + "\r\n"; }
  char at(size_t offset) const { return static_cast<char>(digit * 31 + offset * 7 + (offset >> 8)); }
};
inline constexpr Content contents[] = {{"mp4", 'a', 70'000}, {"m4a", 'b', 5}, {"vtt", 'c', 0}, {"mp4", 'd', 280'000}};

inline const Content* findContent(std::string_view name) {
  for (const Content& each : contents)
    if (each.name() == name) return &each;
  return nullptr;
}

inline std::string_view bytesOf(const Content& content) {
  static std::map<char, std::string> made;
  std::string& bytes = made[content.digit];
  for (size_t i = bytes.size(); i < content.bytes; i++) bytes.push_back(content.at(i));
  return bytes;
}

inline Descriptor openContent(const Content& content) {
  static std::map<char, int> made;
  int& fd = made.try_emplace(content.digit, -1).first->second;
  if (fd < 0) {
    const std::string_view bytes = bytesOf(content);
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  return Descriptor(dup(fd));
}

inline FileFacts factsOf(const Content& content) {
  const std::string heads = content.heads(), start = "HTTP/1.1 ";
  auto fd = std::make_shared<Descriptor>(openContent(content));
  return {content.name(), std::move(fd), content.bytes, 7, content.etag(), start + "200 OK\r\n" + heads,
          start + "206 Partial Content\r\n" + heads, start + "304 Not Modified\r\n" + heads};
}

inline Settings usualSettings(double* counters) {
  Settings settings;
  settings.headersTimeoutMs = 10'000;
  settings.keepAliveTimeoutMs = 75'000;
  settings.idleTimeoutMs = 60'000;
  settings.turnBytes = 2 << 20;
  settings.requestsMax = 4096;
  settings.filesMax = settings.grantsMax = 8;
  settings.recordsMax = 64;
  settings.counters = counters;
  settings.refusals = {"HTTP/1.1 408 Request Timeout\r\nX: late\r\n\r\nlate",
                       "HTTP/1.1 429 Too Many Requests\r\nX: overloaded\r\n\r\nbusy",
                       "HTTP/1.1 429 Going Away\r\nX: draining\r\n\r\nbye"};
  settings.timing = {"x-delay: ", ";again=", "\r\n"};
  return settings;
}

// TLS without ciphers: 0x16 is a handshake, 0x15 a close_notify, 0x14 breaks it, all else is itself.
class PlainTls : public TlsSession {
 public:
  PlainTls(Script& script, bool h2) : script_(script), isH2_(h2) {}
  TlsState receive(std::string_view cipher, std::string& plain, std::string& output) override {
    for (const char c : cipher) {
      if (isBroken_ || c == 0x14 || (!isReady && c != 0x16)) {
        isBroken_ = true;
        return TlsState::failed;
      }
      if (c == 0x15) isClosed_ = true;
      if (isClosed_) return TlsState::closed;
      if (c != 0x16) plain.push_back(c);
      if (c == 0x16 && !isReady) output += "HSK";
      isReady = true;
      isH2 = isH2_;
      version = "1.3";
    }
    return TlsState::ok;
  }
  bool encrypt(std::string_view plain, std::string& output) override {
    CHECK(!plain.empty());
    if (!isReady || isBroken_ || script_.next(64) == 63) return false;
    output += plain;
    return true;
  }
  void shutdown(std::string& output) override { output += "BYE"; }

 private:
  Script& script_;
  const bool isH2_;
  bool isBroken_ = false;
  bool isClosed_ = false;
};

class World : public Host {
 public:
  World(Script& script, Shared& shared) : script_(script), shared_(shared) { pass(1'000'000'000); }

  // What the client has sent and the kernel holds, and whether it has closed its side.
  std::string arrived;
  bool isEof = false;
  std::string received;  // what the machine took, as it came over the wire
  std::string out;       // what the kernel took
  bool isBlocked = false;  // the kernel took less than it was given: it tells when there is room
  bool isBroken = false;
  bool isShut = false;
  bool isParked = false;
  bool isHandedOver = false;
  bool isStream = false;
  bool streamEnded = false;
  bool isCorked = false;
  unsigned drained = 0;
  std::string handed;       // bytes that JavaScript got, by either way
  size_t outAtHandOver = 0;
  std::optional<ReadJob> reading;
  unsigned lent = 0;
  uint64_t now = 0;

  void pass(uint64_t ns) {
    now += ns;
    shared_.unixMs = now / 1'000'000;
    strcpy(shared_.date, "Sat, 21 Nov 2026 10:00:00 GMT");
  }
  bool isOver() const { return !shared_.over.empty(); }
  // Whether the connection wants to run again.
  bool takeQueued(Connection& connection) {
    connection.isQueued = false;
    return !std::exchange(shared_.queue, {}).empty();
  }
  // Memory as the readers lend it.
  std::shared_ptr<char> lend(size_t bytes) {
    lent++;
    return {new char[bytes], [this](char* data) {
              lent--;
              delete[] data;
            }};
  }

  ssize_t receive(Connection&, char* into, size_t room) override {
    alive();
    if (isBroken) return -ECONNRESET;
    if (arrived.empty()) return isEof ? 0 : -EAGAIN;
    const size_t bytes = std::min(room, arrived.size());
    memcpy(into, arrived.data(), bytes);
    received.append(arrived, 0, bytes);
    arrived.erase(0, bytes);
    return static_cast<ssize_t>(bytes);
  }
  ssize_t send(Connection&, std::string_view bytes, bool) override {
    CHECK(!bytes.empty());
    const ssize_t taken = take(bytes.size());
    if (taken > 0) out.append(bytes.substr(0, static_cast<size_t>(taken)));
    return taken;
  }
  ssize_t sendFile(Connection&, int fd, uint64_t offset, size_t bytes) override {
    CHECK(bytes > 0);
    if (const uint8_t fate = script_.next(64); fate > 61) return fate == 62 ? 0 : -EIO;
    const ssize_t taken = take(bytes);
    if (taken < 0) return taken;
    const size_t before = out.size();
    out.resize(before + static_cast<size_t>(taken));
    const ssize_t got = pread(fd, out.data() + before, static_cast<size_t>(taken), static_cast<off_t>(offset));
    CHECK(got == taken);  // else it was asked for more than the file has
    return taken;
  }
  ssize_t readNow(int fd, char* into, size_t bytes, uint64_t offset) override {
    alive();
    const uint8_t fate = script_.next(16);
    if (fate > 12) return fate == 13 ? -EAGAIN : fate == 14 ? -EIO : 0;
    return pread(fd, into, fate == 0 ? bytes : script_.share(bytes), static_cast<off_t>(offset));
  }
  void cork(Connection&, bool on) override {
    CHECK(isCorked != on);
    isCorked = on;
  }
  void shutdownWrite(Connection&) override {
    alive();
    CHECK(!isShut);
    isShut = true;
  }
  bool readCold(Connection&, uint32_t disk, ReadJob job) override {
    alive();
    struct stat status;
    CHECK(fstat(job.file->get(), &status) == 0 && disk == 7);
    CHECK(!reading && job.bytes > 0 && job.bytes <= readBytesMax);
    CHECK(job.offset + job.bytes <= static_cast<uint64_t>(status.st_size));
    if (script_.next(16) == 15) return false;
    reading = std::move(job);
    return true;
  }
  bool park(Connection&) override {
    alive();
    CHECK(!isParked);
    return isParked = script_.next(16) != 15;
  }
  void handOver(Connection& connection, std::string_view bytes) override {
    alive();
    CHECK(!isStream);
    (connection.tls() != nullptr ? isStream : isHandedOver) = true;
    handed = bytes;
    outAtHandOver = out.size();
  }
  void streamData(Connection&, std::string_view bytes) override {
    CHECK(isStream && !streamEnded);
    handed.append(bytes);
    streamEnded = bytes.empty();
  }
  void streamDrained(Connection&, bool) override {
    CHECK(isStream);
    drained++;
  }
  void fileFailed(const OpenFile&, int) override {}
  uint64_t nowNs() override { return now; }

 private:
  void alive() const { CHECK(!isOver() && !isHandedOver); }
  ssize_t take(size_t bytes) {
    alive();
    CHECK(!isShut);
    if (isBroken) return -EPIPE;
    const uint8_t fate = script_.next(8);
    if (fate == 7) isBroken = script_.next(4) == 3;
    if (isBroken) return -EPIPE;
    isBlocked = fate > 0;
    if (fate > 4) return -EAGAIN;
    return static_cast<ssize_t>(fate == 0 ? bytes : script_.share(bytes));
  }
  Script& script_;
  Shared& shared_;
};

}  // namespace nearcast
