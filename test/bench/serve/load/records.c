// TLS 1.3 as the client of a benchmark needs it. OpenSSL shakes hands and writes; the records of the server are read
// here, for most of them need not be decrypted: a client that deciphers everything is slower than a good server, and
// would be what is measured. Decrypted is whatever holds an answer's head, and everything where bytes are verified. Of
// the rest the lengths are checked: they must add up to the announced length, to the byte, at the end of a record.
#include <openssl/hmac.h>
#include <sys/socket.h>

#include "load.h"

enum { headerBytes = 5, tagBytes = 16, recordBytesMax = headerBytes + 16384 + 256 };
enum { typeAlert = 21, typeHandshake = 22, typeData = 23, newSessionTicket = 4 };

struct recordReader {
  EVP_CIPHER_CTX *cipher;
  uint8_t iv[12];
  uint64_t sequence;
  size_t unseenLeft;   // of the record that is being skipped
  size_t unseenPlain;  // what it holds
  size_t length;       // bytes in `record`
  uint8_t record[recordBytesMax];
  uint8_t plain[recordBytesMax];
};

// RFC 8446 §7.1, HKDF-Expand-Label with an empty context; one block of SHA-256 is enough for a key and for an IV.
static void expandLabel(const uint8_t secret[32], const char *label, uint8_t *out, size_t length) {
  uint8_t info[64] = {0, (uint8_t)length, (uint8_t)(6 + strlen(label))};
  const int used = 3 + sprintf((char *)info + 3, "tls13 %s", label);
  info[used] = 0;      // no context
  info[used + 1] = 1;  // the first block
  uint8_t block[32];
  HMAC(EVP_sha256(), secret, 32, info, (size_t)used + 2, block, NULL);
  memcpy(out, block, length);
}

// OpenSSL tells the secrets to whoever wants to log them.
static void onSecret(const SSL *ssl, const char *line) {
  static const char wanted[] = "SERVER_TRAFFIC_SECRET_0 ";
  struct recordReader *reader = ((struct connection *)SSL_get_app_data(ssl))->records;
  const char *hex = strrchr(line, ' ');
  if (strncmp(line, wanted, sizeof wanted - 1) != 0 || hex == NULL || strlen(hex) != 65) return;
  uint8_t secret[32], key[16];
  for (int i = 0; i < 32; i++) {
    unsigned byte = 0;
    sscanf(hex + 1 + 2 * i, "%2x", &byte);
    secret[i] = (uint8_t)byte;
  }
  expandLabel(secret, "key", key, sizeof key);
  expandLabel(secret, "iv", reader->iv, sizeof reader->iv);
  reader->cipher = EVP_CIPHER_CTX_new();
  EVP_DecryptInit_ex(reader->cipher, EVP_aes_128_gcm(), NULL, key, NULL);
}

SSL_CTX *makeTls(void) {
  SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_keylog_callback(tls, onSecret);
  return tls;
}

bool shakeHands(struct load *load, struct connection *connection) {
  static const uint8_t http11[] = "\x08http/1.1";
  connection->records = calloc(1, sizeof *connection->records);
  connection->ssl = SSL_new(load->tls);
  SSL_set_app_data(connection->ssl, connection);
  SSL_set_tlsext_host_name(connection->ssl, "box.example");
  SSL_set_alpn_protos(connection->ssl, http11, sizeof http11 - 1);
  SSL_set_fd(connection->ssl, connection->fd);
  // OpenSSL reads record by record: what follows the handshake is left in the socket.
  return SSL_connect(connection->ssl) == 1 && connection->records->cipher != NULL;
}

void freeRecords(struct connection *connection) {
  if (connection->records == NULL) return;
  EVP_CIPHER_CTX_free(connection->records->cipher);
  free(connection->records);
}

// Decrypts the record that is there. @returns how many bytes it holds with its type as the last one, -1 when it is
// forged.
static int decrypt(struct recordReader *reader) {
  uint8_t nonce[12];
  memcpy(nonce, reader->iv, sizeof nonce);
  for (int i = 0; i < 8; i++) nonce[11 - i] ^= (uint8_t)(reader->sequence >> (8 * i));
  const int sealed = (int)reader->length - headerBytes - tagBytes;
  int count, rest;
  EVP_DecryptInit_ex(reader->cipher, NULL, NULL, NULL, nonce);
  EVP_DecryptUpdate(reader->cipher, NULL, &rest, reader->record, headerBytes);
  EVP_DecryptUpdate(reader->cipher, reader->plain, &count, reader->record + headerBytes, sealed);
  EVP_CIPHER_CTX_ctrl(reader->cipher, EVP_CTRL_GCM_SET_TAG, tagBytes, reader->record + headerBytes + sealed);
  if (EVP_DecryptFinal_ex(reader->cipher, reader->plain + count, &rest) != 1) return -1;
  while (count > 0 && reader->plain[count - 1] == 0) count--;  // RFC 8446 §5.4: padding
  reader->sequence++;
  reader->length = 0;
  return count;
}

static bool takeRecord(struct load *load, struct connection *connection) {
  struct recordReader *reader = connection->records;
  const int count = decrypt(reader);
  if (count < 1) return fail(load, connection, tlsFailed);
  const uint8_t type = reader->plain[count - 1];
  if (type == typeHandshake && reader->plain[0] == newSessionTicket) return true;
  if (type == typeAlert) return fail(load, connection, closedEarly);
  if (type != typeData) return fail(load, connection, tlsFailed);
  if (!connection->hasFirst && count > 1) {
    connection->hasFirst = true;
    histogramAdd(&load->results.first, nowNs() - connection->sentNs);
  }
  return takePlain(load, connection, reader->plain, (size_t)count - 1);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// Takes some of `bytes`. @returns how many; 0 when the connection failed.
static size_t takeSome(struct load *load, struct connection *connection, const uint8_t *bytes, size_t count) {
  struct recordReader *reader = connection->records;
  if (reader->unseenLeft > 0) {
    const size_t skipped = least(count, reader->unseenLeft);
    reader->unseenLeft -= skipped;
    if (reader->unseenLeft > 0) return skipped;
    reader->sequence++;
    return takeUnseen(load, connection, reader->unseenPlain) ? skipped : 0;
  }
  size_t wanted = headerBytes;
  if (reader->length >= headerBytes) wanted += (size_t)reader->record[3] << 8 | reader->record[4];
  const size_t taken = least(count, wanted - reader->length);
  memcpy(reader->record + reader->length, bytes, taken);
  reader->length += taken;
  if (reader->length < wanted) return taken;
  if (wanted > headerBytes) return takeRecord(load, connection) ? taken : 0;
  const size_t sealed = (size_t)reader->record[3] << 8 | reader->record[4];
  const bool isSound = reader->record[0] == typeData && sealed > tagBytes && headerBytes + sealed <= recordBytesMax;
  if (!isSound) return fail(load, connection, tlsFailed), 0;
  if (connection->state == inBody && !load->options.verify) {
    reader->unseenLeft = sealed;
    reader->unseenPlain = sealed - tagBytes - 1;
    reader->length = 0;
  }
  return taken;
}

bool readRecords(struct load *load, struct connection *connection) {
  const ssize_t got = recv(connection->fd, load->scratch, sizeof load->scratch, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return fail(load, connection, closedEarly);
  for (size_t at = 0; at < (size_t)got;) {
    const size_t taken = takeSome(load, connection, load->scratch + at, (size_t)got - at);
    if (taken == 0) return false;
    at += taken;
  }
  return true;
}
