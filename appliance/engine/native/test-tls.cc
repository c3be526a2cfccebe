// Tests of tls.h: sessions against OpenSSL's own client, in memory. By `make test-tls` (ASan, UBSan), or by hand:
//   g++ -std=c++20 -O1 -g -fsanitize=address,undefined test-tls.cc tls.cc -o /tmp/test-tls -lssl -lcrypto && /tmp/test-tls
// With an argument it measures instead: g++ -std=c++20 -O2 test-tls.cc tls.cc -o /tmp/time-tls -lssl -lcrypto
//   /tmp/time-tls time      AES-128-GCM through a session and by itself
//   /tmp/time-tls memory    what an idle session holds
#include <stdio.h>
#include <string.h>

#include <memory>
#include <random>
#include <string>

#include "test-tls-client.h"
#include "test-tls-measure.h"
#include "test-tls-tickets.h"
#include "tls.h"

namespace {

// --- handshakes -----------------------------------------------------------------------------------

void testVersions() {
  const auto context = contextOf(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const size_t step : {size_t{1}, size_t{7}, SIZE_MAX}) {
      Client client({.version = version});
      Server session(context);
      CHECK(!session->isReady && encrypt(session, "x").empty());
      CHECK(handshake(session, client, step) == TlsState::ok);
      CHECK(session->isReady && !session->isResumed && !session->isH2);
      CHECK(strcmp(session->version, version == TLS1_3_VERSION ? "1.3" : "1.2") == 0);
      exchange(session, client);
    }
  }
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    Client client({.version = version, .ciphers = "ALL:@SECLEVEL=0"});
    Server session(context);
    CHECK(handshake(session, client) == TlsState::failed);
    CHECK(client.reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
  }
}

void testCiphers() {
  auto withRsa = settings();
  withRsa.certificates = {rsa("rsa.example.org", 2048)};
  const auto context = contextOf(settings());
  const auto rsaContext = contextOf(withRsa);
  const auto chosen = [](const std::shared_ptr<TlsContext>& from, const ClientOptions& options) -> std::string {
    Client client(options);
    Server session(from);
    if (handshake(session, client) != TlsState::ok) return "";
    exchange(session, client);
    return SSL_get_cipher_name(client.ssl);
  };
  // The server's order, but a client that puts ChaCha20 first has no AES in hardware.
  CHECK(chosen(context, {}) == "TLS_AES_128_GCM_SHA256");
  CHECK(chosen(context, {.suites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"}) == "TLS_AES_128_GCM_SHA256");
  CHECK(chosen(context, {.suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"}) ==
        "TLS_CHACHA20_POLY1305_SHA256");
  CHECK(chosen(context, {.version = TLS1_2_VERSION}) == "ECDHE-ECDSA-AES128-GCM-SHA256");
  CHECK(chosen(rsaContext, {.version = TLS1_2_VERSION}) == "ECDHE-RSA-AES128-GCM-SHA256");
  for (const char* const old : {"AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA256",
                                "DHE-RSA-AES128-GCM-SHA256", "AES128-SHA"}) {
    CHECK(chosen(rsaContext, {.version = TLS1_2_VERSION, .ciphers = old}).empty());
  }
  for (const char* const group : {"X25519", "P-256", "P-384"}) CHECK(!chosen(context, {.groups = group}).empty());
  for (const char* const group : {"P-521", "X448", "ffdhe2048"}) CHECK(chosen(context, {.groups = group}).empty());
}

void testNames() {
  auto from = settings();
  from.certificates.push_back(ecdsa("two.example.org"));
  from.certificates.push_back(rsa("*.example.org", 2048));
  from.certificates.push_back(ecdsa("*.deep.example.org"));
  const auto context = contextOf(from);
  const auto shown = [&](const std::string& name, int version) {
    Client client({.version = version, .name = name});
    Server session(context);
    CHECK(handshake(session, client) == TlsState::ok);
    exchange(session, client);
    return client.peerName();
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CHECK(shown("", version) == "one.example.org");
    CHECK(shown("one.example.org", version) == "one.example.org");
    CHECK(shown("two.example.org", version) == "two.example.org");
    CHECK(shown("TWO.Example.Org", version) == "two.example.org");
    CHECK(shown("two.example.org.", version) == "two.example.org");
    CHECK(shown("three.example.org", version) == "*.example.org");
    CHECK(shown("a.deep.example.org", version) == "*.deep.example.org");
    CHECK(shown("a.b.example.org", version) == "one.example.org");
    CHECK(shown("example.org", version) == "one.example.org");
    CHECK(shown("elsewhere.net", version) == "one.example.org");
    CHECK(shown(".example.org", version) == "one.example.org");
    CHECK(shown(std::string(250, 'a'), version) == "one.example.org");
  }
}

void testAlpn() {
  auto from = settings();
  const auto context = contextOf(from);
  from.h2 = true;
  const auto withH2 = contextOf(from);
  const auto agreed = [](const std::shared_ptr<TlsContext>& with, const std::string& alpn) {
    Client client({.alpn = alpn});
    Server session(with);
    if (handshake(session, client) != TlsState::ok) {
      CHECK(client.reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
      return std::string("none");
    }
    CHECK(session->isH2 == (client.alpn() == "h2"));
    exchange(session, client);
    return client.alpn();
  };
  const std::string both = "\x02h2\x08http/1.1";
  const std::string http = "\x08http/1.1";
  CHECK(agreed(context, both) == "http/1.1");
  CHECK(agreed(context, http) == "http/1.1");
  CHECK(agreed(context, "") == "");
  CHECK(agreed(context, "\x02h2") == "none");
  CHECK(agreed(context, "\x04spdy") == "none");
  CHECK(agreed(withH2, both) == "h2");
  CHECK(agreed(withH2, http + "\x02h2") == "h2");
  CHECK(agreed(withH2, http) == "http/1.1");
  CHECK(agreed(withH2, "\x02h3") == "none");
}

// --- what may go wrong ----------------------------------------------------------------------------

void testSettings() {
  const auto refusal = [](const TlsSettings& from) -> std::string {
    try {
      makeTlsContext(from);
    } catch (const std::exception& error) {
      CHECK(ERR_peek_error() == 0);
      return error.what();
    }
    return "";
  };
  CHECK(refusal({}) == "there is no certificate");
  auto from = settings();
  from.ticketKeys.push_back("short");
  CHECK(refusal(from).find("80 bytes") != std::string::npos);
  from = settings();
  from.certificates[0].keyPem = ecdsa("x").keyPem;
  CHECK(refusal(from).find("of one.example.org: ") != std::string::npos);
  from.certificates[0].keyPem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  CHECK(refusal(from).find("of one.example.org: ") != std::string::npos);
  from = settings();
  for (const char* const chain : {"", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    from.certificates[0].chainPem = chain;
    CHECK(refusal(from).find("of one.example.org: ") != std::string::npos);
  }
  from.certificates[0].chainPem = first.chainPem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  CHECK(refusal(from).find("of one.example.org: ") != std::string::npos);
  from.certificates[0].chainPem = first.chainPem + first.chainPem;
  CHECK(contextOf(from));
  from.certificates = {rsa("weak.example.org", 1024)};
  CHECK(refusal(from).find("key too small") != std::string::npos);
  // A key that needs a password is refused and not asked for.
  from = settings();
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  from.certificates[0].keyPem = pemOf([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), "secret", 6, nullptr, nullptr);
  });
  EVP_PKEY_free(key);
  CHECK(refusal(from).find("of one.example.org: ") != std::string::npos);
}

void testGarbage() {
  const auto context = contextOf(settings());
  std::mt19937 random(7);
  std::string plain;
  for (const std::string& start : {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), std::string("\x16\x03\x01\x00\x05"),
                                   std::string(11, '\0'), std::string(70'000, '\xff'),
                                   std::string("\x16\x03\x01\xff\xff") + std::string(70'000, 'x')}) {
    Server session(context);
    TlsState state = session.receive(start, plain);
    if (state == TlsState::ok) state = session.receive(std::string(70'000, 'x'), plain);
    CHECK(state == TlsState::failed);
    CHECK(session.receive("more", plain) == TlsState::failed);
    CHECK(encrypt(session, "x").empty());
    session.shutdown();
    CHECK(plain.empty() && ERR_peek_error() == 0);
  }
  // A hello, and a finished handshake, of which some bytes are turned or cut off.
  for (int i = 0; i < 600; i++) {
    Client client({.version = i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, .name = "one.example.org"});
    Server session(context);
    if (i % 3 == 0) CHECK(handshake(session, client) == TlsState::ok);
    if (session->isReady) client.write(std::string(300, 'x'));
    else client.give("");
    std::string cipher = client.take();
    for (uint32_t turns = 1 + random() % 4; turns > 0; turns--) cipher[random() % cipher.size()] ^= 1 << random() % 8;
    if (i % 5 == 0) cipher.resize(random() % cipher.size());
    plain.clear();
    session.receive(cipher, plain);
    CHECK(plain.empty() || i % 3 == 0);
    CHECK(ERR_peek_error() == 0);
    if (i % 7 == 0) session.shutdown();
  }
  // A record longer than allowed.
  Client client;
  Server session(context);
  CHECK(handshake(session, client) == TlsState::ok);
  plain.clear();
  CHECK(session.receive(std::string("\x17\x03\x03\x7f\xff") + std::string(0x7fff, 'x'), plain) == TlsState::failed);
  client.give(session.take());
  CHECK(client.reason == SSL_R_TLSV1_ALERT_RECORD_OVERFLOW);
}

void testRenegotiation() {
  const auto context = contextOf(settings());
  Client client({.version = TLS1_2_VERSION});
  Server session(context);
  CHECK(handshake(session, client) == TlsState::ok);
  exchange(session, client);
  CHECK(SSL_renegotiate(client.ssl) == 1);
  SSL_do_handshake(client.ssl);
  std::string plain;
  CHECK(session.receive(client.take(), plain) == TlsState::failed);
  client.give(session.take());
  CHECK(client.reason == SSL_R_NO_RENEGOTIATION);
  CHECK(encrypt(session, "x").empty());
}

void testKeyUpdate() {
  const auto context = contextOf(settings());
  for (const int kind : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    Client client({.version = TLS1_3_VERSION});
    Server session(context);
    CHECK(handshake(session, client) == TlsState::ok);
    for (int i = 0; i < 20; i++) {
      CHECK(SSL_key_update(client.ssl, kind) == 1);
      exchange(session, client);
    }
    // Full batches, with the answer to the update in front of the first record.
    const std::string batch(256 << 10, 'k');
    CHECK(SSL_key_update(client.ssl, kind) == 1);
    client.write("x");
    std::string plain;
    CHECK(session.receive(client.take(), plain) == TlsState::ok && plain == "x");
    CHECK(client.give(encrypt(session, batch)) == batch);
    CHECK(client.give(encrypt(session, batch)) == batch);
  }
  // Our own, when a key has done enough.
  auto from = settings();
  from.keyBytesMax = 100'000;
  const auto soon = contextOf(from);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client({.version = version});
    Server session(soon);
    CHECK(handshake(session, client) == TlsState::ok);
    const std::string piece(30'000, 'p');
    size_t least = SIZE_MAX, most = 0;
    for (int i = 0; i < 40; i++) {
      const std::string cipher = encrypt(session, piece);
      least = std::min(least, cipher.size());
      most = std::max(most, cipher.size());
      CHECK(client.give(cipher) == piece);
    }
    CHECK((most > least) == (version == TLS1_3_VERSION));
    exchange(session, client);
  }
}

void testClosing() {
  const auto context = contextOf(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client({.version = version});
    Server session(context);
    session.shutdown();
    CHECK(session.output.empty());
    CHECK(handshake(session, client) == TlsState::ok);
    client.write("last");
    SSL_shutdown(client.ssl);
    std::string plain;
    CHECK(session.receive(client.take(), plain) == TlsState::closed);
    CHECK(plain == "last");
    // It may still be answered.
    const std::string answer = encrypt(session, "answer");
    CHECK(!answer.empty());
    session.shutdown();
    CHECK(client.give(answer + session.take()) == "answer");
    CHECK(client.error == SSL_ERROR_ZERO_RETURN);
    CHECK(encrypt(session, "x").empty());
    session.shutdown();
    CHECK(session.output.empty());
  }
  // Truncated: the session is simply dropped at any point of the handshake.
  for (size_t cut = 0; cut < 300; cut += 3) {
    Client client;
    Server session(context);
    client.give("");
    std::string plain;
    CHECK(session.receive(client.take().substr(0, cut), plain) == TlsState::ok);
    CHECK(!session->isReady);
  }
}

// A context that was replaced lives on in its sessions.
void testReload() {
  auto context = contextOf(settings());
  Client client;
  Server session(context);
  context.reset();
  CHECK(handshake(session, client) == TlsState::ok);
  exchange(session, client);
}

// --- bytes ----------------------------------------------------------------------------------------

void testBytes(int version) {
  const auto context = contextOf(settings());
  Client client({.version = version});
  Server session(context);
  CHECK(handshake(session, client) == TlsState::ok);
  std::mt19937_64 random(11);
  std::string source(1 << 20, '\0');
  for (size_t i = 0; i < source.size(); i += 8) {
    const uint64_t word = random();
    memcpy(&source[i], &word, 8);
  }
  const size_t whole = size_t{100} << 20;
  std::string cipher;
  for (size_t at = 0; at < whole;) {
    const size_t from = random() % source.size();
    const size_t most = std::min({size_t{256} << 10, source.size() - from, whole - at});
    const size_t bytes = random() % 4 == 0 ? 1 + random() % most : most;
    const auto plain = std::string_view(source).substr(from, bytes);
    cipher.clear();
    CHECK(session->encrypt(plain, cipher) && cipher.size() > bytes && cipher.size() <= cipherBytesMax(bytes));
    CHECK(session.output.empty());
    CHECK(client.give(cipher) == plain);
    at += bytes;
  }
  // And upwards, in pieces that cut records anywhere.
  client.write(source);
  cipher = client.take();
  std::string plain;
  for (size_t at = 0; at < cipher.size();) {
    const size_t bytes = std::min<size_t>(1 + random() % 40'000, cipher.size() - at);
    CHECK(session.receive(std::string_view(cipher).substr(at, bytes), plain) == TlsState::ok);
    at += bytes;
  }
  CHECK(plain == source);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
    strcmp(argv[1], "memory") == 0 ? measureMemory() : measureSpeed();
    return 0;
  }
  testVersions();
  testCiphers();
  testNames();
  testAlpn();
  testTickets(TLS1_2_VERSION);
  testTickets(TLS1_3_VERSION);
  testTicketsByName();
  testSettings();
  testGarbage();
  testRenegotiation();
  testKeyUpdate();
  testClosing();
  testReload();
  testBytes(TLS1_2_VERSION);
  testBytes(TLS1_3_VERSION);
  printf("tls: all is well (%s)\n", OpenSSL_version(OPENSSL_VERSION));
  return 0;
}
