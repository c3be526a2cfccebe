#include "tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace nearcast {
namespace {

constexpr size_t ticketSecretBytes = 32;
constexpr int smallShareBytes = 512;
constexpr std::string_view protocols = "\x02h2\x08http/1.1";
constexpr std::string_view protocolsWithoutH2 = protocols.substr(3);

constexpr long ticketSecondsMax = 24 * 60 * 60;
constexpr char ciphers13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char ciphers12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char groups[] = "X25519:P-256:P-384";
constexpr char groupsWithMlKem[] = "X25519MLKEM768:X25519:P-256:P-384";  // OpenSSL 3.5 and later
constexpr std::string_view sessionContext = "nearcast";

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* pointer) const {
    release(pointer);
  }
};
using SslContext = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Release<SSL_free>>;
using Bio = std::unique_ptr<BIO, Release<BIO_free>>;
using BioMethod = std::unique_ptr<BIO_METHOD, Release<BIO_meth_free>>;
using X509Certificate = std::unique_ptr<X509, Release<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

// The queue is the thread's: what stays in it would be taken for the next session's error, or Node's.
void dropErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

std::string takeError() {
  const unsigned long code = ERR_peek_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "not usable" : reason;
  ERR_clear_error();
  return text;
}

const unsigned char* bytesOf(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// ---- certificates --------------------------------------------------------------------------------------------------

// Without it OpenSSL would ask for the password of an encrypted key at the terminal.
int noPassword(char*, int, int, void*) { return -1; }

bool useCertificate(SSL_CTX* ctx, const Certificate& from) {
  const Bio chain(BIO_new_mem_buf(from.chainPem.data(), static_cast<int>(from.chainPem.size())));
  const Bio keys(BIO_new_mem_buf(from.keyPem.data(), static_cast<int>(from.keyPem.size())));
  const X509Certificate leaf(PEM_read_bio_X509_AUX(chain.get(), nullptr, noPassword, nullptr));
  const PrivateKey key(leaf ? PEM_read_bio_PrivateKey(keys.get(), nullptr, noPassword, nullptr) : nullptr);
  if (!key || SSL_CTX_use_cert_and_key(ctx, leaf.get(), key.get(), nullptr, 0) != 1) return false;
  while (const X509Certificate next{PEM_read_bio_X509(chain.get(), nullptr, noPassword, nullptr)})
    if (SSL_CTX_add1_chain_cert(ctx, next.get()) != 1) return false;
  const unsigned long code = ERR_peek_last_error();
  const bool isWhole = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (isWhole) ERR_clear_error();
  return isWhole;
}

bool useDefaults(SSL_CTX* ctx) {
  SSL_CTX_set_security_level(ctx, 2);
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_clear_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_NO_DHE_KEX);
  // No partial writes: a batch is one call. The chain is what the file holds, and not looked for in each handshake.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(ctx, ticketSecondsMax);
  SSL_CTX_set_max_early_data(ctx, 0);
  if (SSL_CTX_set1_groups_list(ctx, groupsWithMlKem) != 1 && SSL_CTX_set1_groups_list(ctx, groups) != 1) return false;
  ERR_clear_error();
  return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
         SSL_CTX_set_ciphersuites(ctx, ciphers13) == 1 && SSL_CTX_set_cipher_list(ctx, ciphers12) == 1 &&
         SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
         SSL_CTX_set_session_id_context(ctx, bytesOf(sessionContext), sessionContext.size()) == 1;
}

// ---- context -------------------------------------------------------------------------------------------------------

struct TicketKey {
  explicit TicketKey(const std::string& bytes) {
    if (bytes.size() != sizeof *this) throw std::invalid_argument("a ticket key has 80 bytes");
    memcpy(static_cast<void*>(this), bytes.data(), sizeof *this);
  }
  ~TicketKey() { OPENSSL_cleanse(this, sizeof *this); }
  unsigned char name[16];
  unsigned char hmac[ticketSecretBytes];
  unsigned char aes[ticketSecretBytes];
};
static_assert(sizeof(TicketKey) == 80);

int bioWrite(BIO* bio, const char* data, size_t bytes, size_t* written);
int bioRead(BIO* bio, char* into, size_t room, size_t* read);
long bioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

class TlsContext {
 public:
  explicit TlsContext(const TlsSettings& settings)
      : bioMethod(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "nearcast")),
        keyBytesMax(settings.keyBytesMax),
        protocols_(settings.h2 ? protocols : protocolsWithoutH2) {
    if (!bioMethod || BIO_meth_set_write_ex(bioMethod.get(), bioWrite) != 1 ||
        BIO_meth_set_read_ex(bioMethod.get(), bioRead) != 1 || BIO_meth_set_ctrl(bioMethod.get(), bioControl) != 1)
      throw std::runtime_error(takeError());
    if (settings.certificates.empty()) throw std::invalid_argument("there is no certificate");
    for (const Certificate& certificate : settings.certificates) add(certificate);
    setTicketKeys(settings.ticketKeys);
  }

  void setTicketKeys(const TicketKeys& keys) {
    std::vector<TicketKey> made(keys.begin(), keys.end());
    if (made.empty()) {
      std::string own(sizeof(TicketKey), '\0');
      if (RAND_bytes(reinterpret_cast<unsigned char*>(own.data()), sizeof(TicketKey)) != 1)
        throw std::runtime_error(takeError());
      made.emplace_back(own);
    }
    ticketKeys_.swap(made);
  }

  SSL_CTX* first() const { return contexts_.front().get(); }

  const BioMethod bioMethod;
  const uint64_t keyBytesMax;

 private:
  static TlsContext& of(SSL* ssl) { return *static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl))); }

  void add(const Certificate& certificate) {
    SslContext ctx(SSL_CTX_new(TLS_server_method()));
    if (!ctx || !useDefaults(ctx.get()) || !useCertificate(ctx.get(), certificate)) {
      const std::string name = certificate.names.empty() ? "" : " of " + certificate.names.front();
      throw std::runtime_error("the certificate or key" + name + ": " + takeError());
    }
    SSL_CTX_set_app_data(ctx.get(), this);
    SSL_CTX_set_alpn_select_cb(ctx.get(), selectProtocol, this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx.get(), useTicketKey);
    SSL_CTX_set_tlsext_servername_callback(ctx.get(), selectCertificate);
    SSL_CTX_set_tlsext_servername_arg(ctx.get(), this);
    SSL_CTX_set_info_callback(ctx.get(), watchAlerts);
    for (const std::string& name : certificate.names) byName_.emplace(name, ctx.get());
    contexts_.push_back(std::move(ctx));
  }

  static int selectProtocol(SSL*, const unsigned char** out, unsigned char* outBytes, const unsigned char* in,
                            unsigned inBytes, void* self) {
    const std::string_view ours = static_cast<const TlsContext*>(self)->protocols_;
    unsigned char* chosen = nullptr;
    const int result =
        SSL_select_next_proto(&chosen, outBytes, bytesOf(ours), static_cast<unsigned>(ours.size()), in, inBytes);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static int selectCertificate(SSL* ssl, int*, void* self) {
    const char* const asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX* const found = asked == nullptr ? nullptr : static_cast<const TlsContext*>(self)->find(asked);
    // A name that nobody knows gets the default: its viewer sees what is wrong, and it may be an address.
    if (found == nullptr) return SSL_TLSEXT_ERR_NOACK;
    return SSL_set_SSL_CTX(ssl, found) == nullptr ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
  }

  SSL_CTX* find(std::string name) const {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (name.ends_with('.')) name.pop_back();
    auto found = byName_.find(name);
    const size_t dot = name.find('.');
    if (found == byName_.end() && dot > 0 && dot != name.npos) found = byName_.find("*" + name.substr(dot));
    return found == byName_.end() ? nullptr : found->second;
  }

  // 1: use; 2: use and send a new one; 0: no such key, so a whole handshake; negative: give up.
  static int useTicketKey(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                          int encrypts) {
    const auto& keys = of(ssl).ticketKeys_;
    const auto key = encrypts ? keys.begin() : std::find_if(keys.begin(), keys.end(), [&](const TicketKey& each) {
      return memcmp(each.name, name, sizeof each.name) == 0;
    });
    if (key == keys.end()) return 0;
    if (encrypts) {
      memcpy(name, key->name, sizeof key->name);
      if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    }
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key->hmac),
                                          ticketSecretBytes),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(mac, parameters) != 1 ||
        EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->aes, iv, encrypts) != 1) {
      return -1;
    }
    // RFC 8446 appendix C.4: clients use a TLS 1.3 ticket once, so each resumption brings the next.
    return encrypts ? 1 : key == keys.begin() && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
  }

  static void watchAlerts(const SSL* ssl, int where, int alert);

  std::vector<SslContext> contexts_;
  std::unordered_map<std::string, SSL_CTX*> byName_;
  std::vector<TicketKey> ticketKeys_;
  const std::string_view protocols_;
};

namespace {

// ---- session -------------------------------------------------------------------------------------------------------

class Session final : public TlsSession {
 public:
  Session(std::shared_ptr<TlsContext> context, SSL* ssl, BIO* bio) : context_(std::move(context)), ssl_(ssl) {
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, this);
    SSL_set_accept_state(ssl);
  }

  TlsState receive(std::string_view cipher, std::string& plain, std::string& output) override {
    if (state_ != TlsState::ok) return state_;
    input_ = cipher;
    output_ = &output;
    char record[SSL3_RT_MAX_PLAIN_LENGTH];
    size_t bytes = 0;
    dropErrors();
    while (state_ == TlsState::ok && SSL_read_ex(ssl_.get(), record, sizeof record, &bytes) == 1)
      plain.append(record, bytes);
    if (state_ == TlsState::ok) {
      const int error = SSL_get_error(ssl_.get(), 0);
      if (error == SSL_ERROR_ZERO_RETURN) state_ = TlsState::closed;
      else if (error != SSL_ERROR_WANT_READ) state_ = TlsState::failed;
    }
    input_ = {};
    if (!isReady && SSL_is_init_finished(ssl_.get()) == 1) settle();
    dropErrors();
    return state_;
  }

  bool encrypt(std::string_view plain, std::string& output) override {
    if (!canWrite()) return false;
    output_ = &output;
    dropErrors();
    if ((keyBytes_ += plain.size()) > context_->keyBytesMax && SSL_version(ssl_.get()) == TLS1_3_VERSION) {
      keyBytes_ = plain.size();
      SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    size_t written = 0;
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) state_ = TlsState::failed;
    dropErrors();
    return state_ != TlsState::failed;
  }

  void shutdown(std::string& output) override {
    if (!canWrite()) return;
    output_ = &output;
    SSL_shutdown(ssl_.get());
    dropErrors();
  }

  // Called by OpenSSL.
  void put(const char* data, size_t bytes) { output_->append(data, bytes); }

  size_t take(char* into, size_t room) {
    const size_t bytes = input_.copy(into, room);
    input_.remove_prefix(bytes);
    return bytes;
  }

  void fail() { state_ = TlsState::failed; }

 private:
  // What is closed in one direction may still be written to in the other (RFC 8446 §6.1).
  bool canWrite() const {
    return state_ != TlsState::failed && isReady && (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0;
  }

  // The handshake is over. OpenSSL keeps the peer's share of the key exchange until the session ends; an ML-KEM one has
  // 6 KiB, more than all else of an idle session's that could be spared.
  void settle() {
    const unsigned char* protocol = nullptr;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(ssl_.get(), &protocol, &bytes);
    isReady = true;
    isH2 = bytes == 2;
    isResumed = SSL_session_reused(ssl_.get()) == 1;
    version = SSL_version(ssl_.get()) == TLS1_3_VERSION ? "1.3" : "1.2";
    EVP_PKEY* share = nullptr;
    if (SSL_get_peer_tmp_key(ssl_.get(), &share) != 1) return;
    if (EVP_PKEY_get_size(share) > smallShareBytes) EVP_PKEY_set_type(share, EVP_PKEY_X25519);  // which empties it
    EVP_PKEY_free(share);
  }

  const std::shared_ptr<TlsContext> context_;
  const Ssl ssl_;
  TlsState state_ = TlsState::ok;
  std::string_view input_;         // of the `receive` that is under way
  std::string* output_ = nullptr;  // of the call that is under way
  uint64_t keyBytes_ = 0;          // encrypted under the present key
};

int bioWrite(BIO* bio, const char* data, size_t bytes, size_t* written) {
  static_cast<Session*>(BIO_get_data(bio))->put(data, bytes);
  *written = bytes;
  return 1;
}

int bioRead(BIO* bio, char* into, size_t room, size_t* read) {
  BIO_clear_retry_flags(bio);
  *read = static_cast<Session*>(BIO_get_data(bio))->take(into, room);
  if (*read > 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

}  // namespace

// OpenSSL answers an attempt to renegotiate with a warning and goes on; who tries does not mean well.
void TlsContext::watchAlerts(const SSL* ssl, int where, int alert) {
  if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && (alert & 0xff) == SSL_AD_NO_RENEGOTIATION)
    static_cast<Session*>(SSL_get_app_data(ssl))->fail();
}

std::shared_ptr<TlsContext> makeTlsContext(const TlsSettings& settings) {
  ERR_clear_error();
  auto context = std::make_shared<TlsContext>(settings);
  ERR_clear_error();
  return context;
}

void setTicketKeys(TlsContext& context, const TicketKeys& keys) { context.setTicketKeys(keys); }

std::unique_ptr<TlsSession> TlsSession::make(std::shared_ptr<TlsContext> context) {
  Ssl ssl(SSL_new(context->first()));
  BIO* const bio = ssl ? BIO_new(context->bioMethod.get()) : nullptr;
  dropErrors();
  return bio == nullptr ? nullptr : std::make_unique<Session>(std::move(context), ssl.release(), bio);
}

}  // namespace nearcast
