// The load generator of `./dev bench serve`: see load.c.
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "ranges.h"

enum failure {
  connectFailed,
  tlsFailed,
  writeFailed,
  closedEarly,
  badHead,
  badStatus,
  refused,  // 429
  badLength,
  badBytes,
  surplus,
  failures
};

struct options {
  struct sockaddr_in address;
  bool tls;
  bool verify;  // compare every byte with the file
  bool once;    // every range once, instead of random ones
  unsigned connections;
  double warmSeconds;
  double seconds;
  int pids[64];  // whose CPU time is reported
  unsigned pidCount;
};

struct results {
  struct histogram whole;  // request sent → last byte
  struct histogram first;  // request sent → first byte
  uint64_t requests;
  uint64_t bytes;  // of bodies, also of those that are not finished
  uint64_t failed[failures];
};

struct recordReader;

struct connection {
  int fd;    // -1: closed
  SSL *ssl;  // writes and shakes hands; reading is done by `records`
  struct recordReader *records;
  enum { resting, inHead, inBody } state;
  struct range range;
  uint64_t bodyLeft;
  uint64_t sentNs;
  bool hasFirst;
  size_t headLength;
  char head[4096];
};

// All there is, made in main: there is one thread.
struct load {
  struct options options;
  struct ranges ranges;
  const uint8_t **contents;  // mapped files, for `verify`
  struct results results;
  SSL_CTX *tls;
  struct connection *connections;
  size_t headBytes;  // the longest head so far
  unsigned resting;  // connections that have nothing more to ask for
  uint8_t scratch[256 * 1024];
};

uint64_t nowNs(void);

// connection.c
// Connects and shakes hands, blocking. False (and counted) when it failed.
bool openConnection(struct load *load, struct connection *connection);
void closeConnection(struct connection *connection);
// Asks for the next range, or rests when there is none. False when the connection is of no more use, as below.
bool ask(struct load *load, struct connection *connection);
// Reads what there is. False when the connection failed and is closed; why is counted.
bool onReadable(struct load *load, struct connection *connection);
bool fail(struct load *load, struct connection *connection, enum failure why);
// Takes plaintext of an answer; `more` asks for the next range when the answer is whole.
bool takePlain(struct load *load, struct connection *connection, const uint8_t *bytes, size_t count);
// Takes bytes of a body that nobody looks at.
bool takeUnseen(struct load *load, struct connection *connection, size_t count);

// records.c
SSL_CTX *makeTls(void);
bool shakeHands(struct load *load, struct connection *connection);
bool readRecords(struct load *load, struct connection *connection);
void freeRecords(struct connection *connection);

// modes.c
// Opens all connections and lets each make one request, then holds them until standard input ends.
int runIdle(struct load *load);
// Holds connections whose request heads arrive a byte a second, for `seconds`.
int runSlow(struct load *load);
