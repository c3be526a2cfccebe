// For tests of tls.h: certificates, and OpenSSL's own client, in memory.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "test-check.h"
#include "tls.h"

using namespace nearcast;

namespace {

// --- certificates ---------------------------------------------------------------------------------

std::string pemOf(const std::function<int(BIO*)>& write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  CHECK(write(bio) == 1);
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  const std::string pem(data, static_cast<size_t>(bytes));
  BIO_free(bio);
  return pem;
}

Certificate makeCertificate(const std::string& name, EVP_PKEY* key) {
  X509* const x509 = X509_new();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509), 86'400);
  X509_set_pubkey(x509, key);
  X509_NAME* const subject = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(x509, subject);
  CHECK(X509_sign(x509, key, EVP_sha256()) > 0);
  Certificate certificate{{name}, pemOf([&](BIO* bio) { return PEM_write_bio_X509(bio, x509); }),
                          pemOf([&](BIO* bio) {
                            return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                          })};
  X509_free(x509);
  EVP_PKEY_free(key);
  return certificate;
}

Certificate ecdsa(const std::string& name) { return makeCertificate(name, EVP_EC_gen("P-256")); }
Certificate rsa(const std::string& name, unsigned bits) { return makeCertificate(name, EVP_RSA_gen(bits)); }

std::string ticketKey(char seed) {
  std::string key(80, seed);
  for (size_t i = 0; i < key.size(); i++) key[i] = static_cast<char>(key[i] * 7 + static_cast<char>(i));
  return key;
}

const Certificate first = ecdsa("one.example.org");

TlsSettings settings() { return {.certificates = {first}, .ticketKeys = {ticketKey('a')}}; }

std::shared_ptr<TlsContext> contextOf(const TlsSettings& from) { return makeTlsContext(from); }

// A session, and what it wants to send.
struct Server {
  explicit Server(std::shared_ptr<TlsContext> context) : session(TlsSession::make(std::move(context))) {}
  TlsState receive(std::string_view cipher, std::string& plain) { return session->receive(cipher, plain, output); }
  void shutdown() { session->shutdown(output); }
  std::string take() { return std::exchange(output, {}); }
  TlsSession* operator->() { return session.get(); }

  std::unique_ptr<TlsSession> session;
  std::string output;
};

// --- a client -------------------------------------------------------------------------------------

struct ClientOptions {
  int version = 0;  // any
  std::string name = {};
  std::string alpn = {};  // as on the wire
  SSL_SESSION* resume = nullptr;
  const char* suites = nullptr;   // of TLS 1.3
  const char* ciphers = nullptr;  // of TLS 1.2
  const char* groups = nullptr;
  bool mayRenegotiate = false;
};

class Client {
 public:
  explicit Client(const ClientOptions& options = {}) {
    ctx_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx_, keepSession);
    SSL_CTX_set_app_data(ctx_, this);
    if (options.version > 0 && options.version < TLS1_2_VERSION) SSL_CTX_set_security_level(ctx_, 0);
    SSL_CTX_set_min_proto_version(ctx_, options.version);
    SSL_CTX_set_max_proto_version(ctx_, options.version);
    if (options.suites) CHECK(SSL_CTX_set_ciphersuites(ctx_, options.suites) == 1);
    if (options.ciphers) CHECK(SSL_CTX_set_cipher_list(ctx_, options.ciphers) == 1);
    if (options.groups) CHECK(SSL_CTX_set1_groups_list(ctx_, options.groups) == 1);
    ssl = SSL_new(ctx_);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in_, out_);
    SSL_set_connect_state(ssl);
    if (!options.name.empty()) CHECK(SSL_set_tlsext_host_name(ssl, options.name.c_str()) == 1);
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    }
    if (options.resume) {
      // A copy: OpenSSL spoils a session that it has resumed.
      SSL_SESSION* const copy = SSL_SESSION_dup(options.resume);
      CHECK(SSL_set_session(ssl, copy) == 1);
      SSL_SESSION_free(copy);
    }
  }
  ~Client() {
    for (SSL_SESSION* each : sessions) SSL_SESSION_free(each);
    // Or its session would be taken for broken, and not be resumed.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    SSL_CTX_free(ctx_);
  }

  // Ciphertext that it wants to send.
  std::string take() {
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(out_, &data);
    std::string cipher(data, static_cast<size_t>(bytes));
    (void)BIO_reset(out_);
    return cipher;
  }
  // Gives it ciphertext; returns what decrypts.
  std::string give(std::string_view cipher) {
    if (!cipher.empty()) BIO_write(in_, cipher.data(), static_cast<int>(cipher.size()));
    std::string plain;
    char buffer[16'384];
    int bytes = 0;
    ERR_clear_error();
    while ((bytes = SSL_read(ssl, buffer, sizeof buffer)) > 0) plain.append(buffer, static_cast<size_t>(bytes));
    error = SSL_get_error(ssl, bytes);
    reason = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    return plain;
  }
  void write(std::string_view plain) {
    CHECK(SSL_write(ssl, plain.data(), static_cast<int>(plain.size())) == static_cast<int>(plain.size()));
  }
  std::string peerName() const {
    X509* const peer = SSL_get1_peer_certificate(ssl);
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
    X509_free(peer);
    return name;
  }
  std::string alpn() const {
    const unsigned char* name = nullptr;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(ssl, &name, &bytes);
    return {reinterpret_cast<const char*>(name), bytes};
  }

  SSL* ssl = nullptr;
  int error = 0;
  int reason = 0;
  std::vector<SSL_SESSION*> sessions;

 private:
  static int keepSession(SSL* ssl, SSL_SESSION* session) {
    static_cast<Client*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->sessions.push_back(session);
    return 1;
  }
  SSL_CTX* ctx_ = nullptr;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

// Plays the handshake, in pieces of `step` bytes towards the server; returns how the server stands.
TlsState handshake(Server& session, Client& client, size_t step = SIZE_MAX) {
  std::string plain;
  TlsState state = TlsState::ok;
  for (int round = 0; round < 8 && state == TlsState::ok; round++) {
    CHECK(client.give(session.take()).empty());
    const std::string cipher = client.take();
    for (size_t at = 0; at < cipher.size() && state == TlsState::ok; at += std::min(step, cipher.size() - at)) {
      state = session.receive(std::string_view(cipher).substr(at, step), plain);
    }
  }
  client.give(session.take());
  CHECK(plain.empty());
  CHECK(ERR_peek_error() == 0);
  return state;
}

// Nothing where it cannot be.
std::string encrypt(Server& session, std::string_view plain) {
  std::string cipher;
  return session->encrypt(plain, cipher) ? cipher : "";
}

void exchange(Server& session, Client& client) {
  client.write("GET / HTTP/1.1\r\n\r\n");
  std::string plain;
  CHECK(session.receive(client.take(), plain) == TlsState::ok);
  CHECK(plain == "GET / HTTP/1.1\r\n\r\n");
  CHECK(client.give(session.take() + encrypt(session, "HTTP/1.1 200 OK\r\n\r\n")) == "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(client.give(encrypt(session, "and on")) == "and on");
}

}  // namespace
