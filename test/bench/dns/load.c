// Asks a DNS server as fast as it answers, or at a rate: A with EDNS and a client subnet, each query another network.
//
//   load PORT PID NAME TYPE RATE MILLISECONDS SEED    RATE 0: saturated, with a window of queries under way
//
// Prints one line of JSON. A reply counts when it is that of a query under way, says NOERROR, and has an answer and its
// subnet. What is lost is asked again by another query.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// All windows together fit into the receive buffer that a system gives a socket unasked (208 KiB): nobody is measured while it drops.
enum { SOCKETS = 8, BATCH = 16, WINDOW = 20, TEMPLATES = 1 << 15, QUERY_MAX = 320, REPLY_MAX = 1500, BUCKETS = 200000 };

struct connection {
  int fd;
  uint16_t next;                // id of the next query
  int underWay;                 // queries without a reply
  uint64_t sentNs[1 << 16];     // by id; 0 where none is under way
  uint64_t lastReplyNs;
};

static struct connection connections[SOCKETS];
static uint8_t templates[TEMPLATES][QUERY_MAX];
static size_t queryBytes, subnetAt;
static uint64_t sent, replied, wrong, lost, latencies[BUCKETS];  // of microseconds

static uint64_t clockNs(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
static uint64_t nowNs(void) { return clockNs(CLOCK_MONOTONIC); }

static uint64_t state;
static uint32_t chance(void) {  // xorshift64*
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return (uint32_t)((state * 0x2545F4914F6CDD1Dull) >> 32);
}

static void makeTemplates(const char* name, int type) {
  uint8_t base[QUERY_MAX] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  size_t at = 12;
  for (const char* label = name; *label != '\0';) {
    const size_t length = strcspn(label, ".");
    base[at++] = (uint8_t)length;
    memcpy(base + at, label, length);
    at += length;
    label += length + (label[length] == '.');
  }
  at++;
  base[at + 1] = (uint8_t)type;
  base[at + 3] = 1;
  at += 4;
  // OPT with a client subnet: IPv4, /24, scope 0, three bytes of address.
  const uint8_t opt[] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0};
  memcpy(base + at, opt, sizeof opt);
  subnetAt = at + sizeof opt;
  queryBytes = subnetAt + 3;
  for (size_t i = 0; i < TEMPLATES; i++) {
    memcpy(templates[i], base, queryBytes);
    const uint32_t network = (1 + chance() % 223) << 16 | (chance() & 0xffff);
    for (int byte = 0; byte < 3; byte++) templates[i][subnetAt + byte] = (uint8_t)(network >> (16 - 8 * byte));
  }
}

static void openAll(int port) {
  for (int i = 0; i < SOCKETS; i++) {
    struct connection* c = &connections[i];
    const int bytes = 4 << 20;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr*)&to, sizeof to) != 0) {
      perror("connect");
      exit(1);
    }
  }
}

// Sends up to `count` queries.
static int ask(struct connection* c, int count) {
  static struct mmsghdr messages[BATCH];
  static struct iovec parts[BATCH];
  static uint8_t queries[BATCH][QUERY_MAX];
  if (count > BATCH) count = BATCH;
  for (int i = 0; i < count; i++) {
    const uint16_t id = (uint16_t)(c->next + i);
    memcpy(queries[i], templates[chance() % TEMPLATES], queryBytes);
    queries[i][0] = (uint8_t)(id >> 8), queries[i][1] = (uint8_t)id;
    parts[i] = (struct iovec){queries[i], queryBytes};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  const int done = sendmmsg(c->fd, messages, (unsigned)count, 0);
  if (done <= 0) return 0;
  const uint64_t now = nowNs();
  for (int i = 0; i < done; i++) c->sentNs[(uint16_t)(c->next + i)] = now;
  c->next = (uint16_t)(c->next + done);
  c->underWay += done;
  sent += (uint64_t)done;
  return done;
}

static int isRight(const uint8_t* reply, size_t bytes) {
  // NOERROR, at least one answer, one additional: the OPT, with the query's subnet within.
  return bytes > subnetAt + 3 && (reply[3] & 15) == 0 && reply[7] > 0 && reply[11] == 1;
}

static void listen_(struct connection* c) {
  static struct mmsghdr messages[BATCH];
  static struct iovec parts[BATCH];
  static uint8_t replies[BATCH][REPLY_MAX];
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){replies[i], REPLY_MAX};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  const int count = recvmmsg(c->fd, messages, BATCH, MSG_DONTWAIT, NULL);
  if (count <= 0) return;
  const uint64_t now = nowNs();
  c->lastReplyNs = now;
  for (int i = 0; i < count; i++) {
    const uint16_t id = (uint16_t)(replies[i][0] << 8 | replies[i][1]);
    if (c->sentNs[id] == 0) continue;
    const uint64_t us = (now - c->sentNs[id]) / 1000;
    c->sentNs[id] = 0;
    c->underWay--;
    if (!isRight(replies[i], messages[i].msg_len)) {
      wrong++;
      continue;
    }
    replied++;
    latencies[us < BUCKETS ? us : BUCKETS - 1]++;
  }
}

// What has had no reply for long has none.
static void giveUp(struct connection* c) {
  // Not the turn's begin: what was sent or came in this turn would lie in its future, and count as lost.
  const uint64_t now = nowNs();
  if (c->underWay == 0 || now - c->lastReplyNs < 500000000u) return;
  for (uint32_t id = 0; id < 1 << 16; id++)
    if (c->sentNs[id] != 0 && now - c->sentNs[id] > 500000000u) c->sentNs[id] = 0, c->underWay--, lost++;
  c->lastReplyNs = now;
}

static uint64_t percentile(double part) {
  uint64_t sum = 0;
  for (uint64_t us = 0; us < BUCKETS; us++)
    if ((sum += latencies[us]) >= part * (double)replied) return us;
  return BUCKETS;
}

int main(int count, char** given) {
  if (count != 8) return 64;
  const double rate = atof(given[5]);
  const uint64_t forNs = strtoull(given[6], NULL, 10) * 1000000u;
  state = strtoull(given[7], NULL, 10) * 2 + 1;
  clockid_t server;
  if (clock_getcpuclockid(atoi(given[2]), &server) != 0) return 1;
  makeTemplates(given[3], atoi(given[4]));
  openAll(atoi(given[1]));
  const uint64_t cpu = clockNs(server), own = clockNs(CLOCK_PROCESS_CPUTIME_ID), start = nowNs();
  for (int i = 0; i < SOCKETS; i++) connections[i].lastReplyNs = start;
  uint64_t now = start;
  for (unsigned turn = 0; now - start < forNs; turn++, now = nowNs()) {
    struct connection* c = &connections[turn % SOCKETS];
    if (rate == 0) {
      if (c->underWay < WINDOW) ask(c, WINDOW - c->underWay);
    } else {
      const double due = rate * (double)(now - start) / 1e9 - (double)sent;
      if (due >= 1) ask(c, (int)due);
    }
    listen_(c);
    giveUp(c);
  }
  const double seconds = (double)(now - start) / 1e9;
  printf("{\"seconds\":%.6f,\"sent\":%lu,\"replied\":%lu,\"wrong\":%lu,\"lost\":%lu,\"serverCpuSeconds\":%.6f,"
         "\"ownCpuSeconds\":%.6f,\"p50Us\":%lu,\"p99Us\":%lu}\n",
         seconds, sent, replied, wrong, lost, (double)(clockNs(server) - cpu) / 1e9,
         (double)(clockNs(CLOCK_PROCESS_CPUTIME_ID) - own) / 1e9, percentile(0.5), percentile(0.99));
  return 0;
}
