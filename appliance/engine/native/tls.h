// TLS over OpenSSL (the one inside Node, or Debian's for tests without Node): contexts with their certificates and
// ticket keys, and one session per connection. Nothing in here touches a socket. One loop's thread uses a context and
// all of its sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nearcast {

struct Certificate {
  std::vector<std::string> names;  // lower case, "*.example.org" for one label; the first certificate is the default
  std::string chainPem;
  std::string keyPem;
};

// Newest first: it encrypts; all of them decrypt. Each is 80 bytes: name 16, HMAC key 32, AES-256 key 32.
using TicketKeys = std::vector<std::string>;

struct TlsSettings {
  std::vector<Certificate> certificates;
  TicketKeys ticketKeys;  // without any, the context makes one of its own
  bool h2 = false;        // negotiate h2 before http/1.1
  // After so much plaintext a TLS 1.3 session changes its sending key: RFC 8446 §5.5 allows AES-GCM 2^24.5 records.
  uint64_t keyBytesMax = uint64_t{1} << 36;
};

// What new sessions are made from. Replaced as a whole on reload; sessions keep the one they began with alive.
class TlsContext {
 public:
  // Returns nullptr and says why in `error` where a certificate or a key cannot be used.
  static std::shared_ptr<TlsContext> make(const TlsSettings& settings, std::string& error);
  virtual ~TlsContext() = default;
  // New ticket keys for the handshakes to come. False, and nothing changes, where there is none or one has the wrong
  // length.
  virtual bool setTicketKeys(const TicketKeys& keys) = 0;
};

enum class TlsState : uint8_t { ok, closed /* close_notify came */, failed };

// One server-side session. Ciphertext goes in by `receive`, comes out by `output`; plaintext the other way.
class TlsSession {
 public:
  // nullptr where there is no memory for one.
  static std::unique_ptr<TlsSession> make(std::shared_ptr<TlsContext> context);
  virtual ~TlsSession() = default;

  // Takes ciphertext from the peer, goes on with the handshake, and appends what decrypts to `plain`: at most
  // `cipher` and one record. What is to be sent (handshake, alerts, tickets) is then in `output`, also when the
  // session failed.
  virtual TlsState receive(std::string_view cipher, std::string& plain) = 0;

  // Encrypts all of `plain` and appends the records to the output. False where the session is broken or not yet ready.
  virtual bool write(std::string_view plain) = 0;

  // Ciphertext to be sent, and how much of it was.
  virtual std::string_view output() const = 0;
  virtual void consume(size_t bytes) = 0;

  // Encrypts `plain` into `out`, the records going straight there; returns their bytes. 0 where the session is broken
  // or not yet ready, where `room` is less than cipherBytesMax(plain.size()), and where output() is not empty, since
  // records would then be out of order.
  virtual size_t encryptInto(std::string_view plain, char* out, size_t room) = 0;

  virtual bool isReady() const = 0;  // the handshake is done
  virtual bool isH2() const = 0;
  virtual const char* version() const = 0;  // "1.2", "1.3"
  virtual bool isResumed() const = 0;
  virtual void shutdown() = 0;  // puts a close_notify into the output
};

// Most ciphertext that this much plaintext becomes: records of 16 KiB, each with at most 64 bytes more.
constexpr size_t cipherBytesMax(size_t plainBytes) { return plainBytes + (plainBytes / 16384 + 2) * 64; }

}  // namespace nearcast
