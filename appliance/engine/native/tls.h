// TLS over OpenSSL (the one inside Node, or Debian's for tests without Node): contexts with their certificates and
// ticket keys, and one session per connection. Nothing in here touches a socket. One loop's thread uses a context and
// all of its sessions.
#pragma once

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
class TlsContext;
// Throws, and says why, where a certificate or a key cannot be used.
std::shared_ptr<TlsContext> makeTlsContext(const TlsSettings& settings);
// For the handshakes to come. Throws, and nothing changes, where a key has the wrong length.
void setTicketKeys(TlsContext& context, const TicketKeys& keys);

enum class TlsState : uint8_t { ok, closed /* close_notify came */, failed };

// One server-side session. Whatever it wants to send is appended to the `output` of the call.
class TlsSession {
 public:
  // nullptr where there is no memory for one.
  static std::unique_ptr<TlsSession> make(std::shared_ptr<TlsContext> context);
  virtual ~TlsSession() = default;

  // Takes ciphertext from the peer, goes on with the handshake, and appends what decrypts to `plain`: at most
  // `cipher` and one record. Handshake, alerts and tickets go to the output, also when the session failed.
  virtual TlsState receive(std::string_view cipher, std::string& plain, std::string& output) = 0;
  // Encrypts all of `plain`. False where the session is broken or not yet ready.
  virtual bool encrypt(std::string_view plain, std::string& output) = 0;
  virtual void shutdown(std::string& output) = 0;  // sends a close_notify

  // Known when the handshake is done.
  bool isReady = false;
  bool isH2 = false;
  bool isResumed = false;
  const char* version = "";  // "1.2", "1.3"
};

// Most ciphertext that this much plaintext becomes: records of 16 KiB, each with at most 64 bytes more.
constexpr size_t cipherBytesMax(size_t plainBytes) { return plainBytes + (plainBytes / 16384 + 2) * 64; }

}  // namespace nearcast
