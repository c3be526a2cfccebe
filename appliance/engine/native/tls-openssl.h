// OpenSSL as tls.cc uses it: what owns its objects, its errors, and what a context allows.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace nearcast {

inline constexpr long ticketSecondsMax = 24 * 60 * 60;
inline constexpr char ciphers13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
inline constexpr char ciphers12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
inline constexpr char groups[] = "X25519:P-256:P-384";
inline constexpr char groupsWithMlKem[] = "X25519MLKEM768:X25519:P-256:P-384";  // OpenSSL 3.5 and later
inline constexpr std::string_view sessionContext = "nearcast";

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
inline void dropErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

inline std::string takeError() {
  const unsigned long code = ERR_peek_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "not usable" : reason;
  ERR_clear_error();
  return text;
}

inline const unsigned char* bytesOf(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// ---- certificates --------------------------------------------------------------------------------------------------

// Without it OpenSSL would ask for the password of an encrypted key at the terminal.
inline int noPassword(char*, int, int, void*) { return -1; }

inline bool useChain(SSL_CTX* ctx, const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const X509Certificate leaf(bio ? PEM_read_bio_X509_AUX(bio.get(), nullptr, noPassword, nullptr) : nullptr);
  if (!leaf || SSL_CTX_use_certificate(ctx, leaf.get()) != 1) return false;
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, noPassword, nullptr)) {
    if (SSL_CTX_add0_chain_cert(ctx, next) == 1) continue;
    X509_free(next);
    return false;
  }
  const unsigned long code = ERR_peek_last_error();
  if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) return false;
  ERR_clear_error();
  return true;
}

inline bool useKey(SSL_CTX* ctx, const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const PrivateKey key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassword, nullptr) : nullptr);
  return key && SSL_CTX_use_PrivateKey(ctx, key.get()) == 1 && SSL_CTX_check_private_key(ctx) == 1;
}

inline bool useDefaults(SSL_CTX* ctx) {
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

}  // namespace nearcast
