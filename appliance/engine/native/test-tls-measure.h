// For test-tls: how fast sessions encrypt, and what they hold when idle.
#pragma once

#include <malloc.h>
#include <time.h>

#include "test-tls-client.h"

namespace {

double seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double rawGcm(const std::string& plain, std::string& out, size_t total) {
  EVP_CIPHER_CTX* const ctx = EVP_CIPHER_CTX_new();
  unsigned char iv[12] = {};
  unsigned char tag[16];
  const unsigned char key[16] = {1};
  int bytes = 0;
  EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), nullptr, key, iv);
  const double start = seconds();
  for (size_t done = 0; done < total; done += 16'384) {
    const size_t at = done % plain.size();
    iv[0]++;
    EVP_EncryptInit_ex(ctx, nullptr, nullptr, nullptr, iv);
    EVP_EncryptUpdate(ctx, reinterpret_cast<unsigned char*>(out.data() + at), &bytes,
                      reinterpret_cast<const unsigned char*>(plain.data() + at), 16'384);
    EVP_EncryptFinal_ex(ctx, tag, &bytes);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag);
  }
  const double took = seconds() - start;
  EVP_CIPHER_CTX_free(ctx);
  return static_cast<double>(total) / took / 1e6;
}

double throughSession(const std::string& plain, std::string& out, size_t total, size_t batch) {
  Client client({.version = TLS1_3_VERSION, .suites = "TLS_AES_128_GCM_SHA256"});
  Server session(contextOf(settings()));
  CHECK(handshake(session, client) == TlsState::ok);
  const double start = seconds();
  for (size_t done = 0; done < total; done += batch) {
    out.clear();
    CHECK(session->encrypt(std::string_view(plain).substr(0, batch), out) && out.size() > batch);
  }
  return static_cast<double>(total) / (seconds() - start) / 1e6;
}

void measureSpeed() {
  const std::string plain(256 << 10, 'x');
  std::string out(cipherBytesMax(plain.size()), '\0');
  for (int round = 0; round < 5; round++) {
    out.resize(cipherBytesMax(plain.size()));
    printf("AES-128-GCM MB/s: raw %.0f, 256 KiB %.0f, 64 KiB %.0f, 16 KiB %.0f\n", rawGcm(plain, out, 1 << 30),
           throughSession(plain, out, 1 << 30, 256 << 10), throughSession(plain, out, 1 << 30, 64 << 10),
           throughSession(plain, out, 1 << 30, 16 << 10));
  }
}

void measureMemory() {
  const auto context = contextOf(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    std::vector<std::unique_ptr<Server>> idle;
    const auto held = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
    const auto before = held();
    for (int i = 0; i < 1000; i++) {
      Client client({.version = version});
      idle.push_back(std::make_unique<Server>(context));
      CHECK(handshake(*idle.back(), client) == TlsState::ok);
      exchange(*idle.back(), client);
    }
    printf("%s: %zu bytes an idle session\n", version == TLS1_3_VERSION ? "1.3" : "1.2", (held() - before) / 1000);
  }
}

}  // namespace
