// Asks an HTTP server over keep-alive connections: in a closed loop as fast as it answers, or at a rate.
//
//   load PORT REQUESTS CONNECTIONS RATE SECONDS WARM_SECONDS BODY    RATE 0: each connection asks as soon as it is answered
//
// REQUESTS is a file of whole requests, each ended by a zero byte; they are sent in turn, over whichever connection is free. At a rate
// they come at random moments (exponential gaps), and a latency counts from the moment at which a request was due: a
// server that stalls does not hold back the load. Each answer must be a 2xx with the body that its length tells,
// which begins with BODY; a 429 is counted as refused. A connection that the server closes while nothing of an answer has come over it
// (RFC 9112 §9.3.1) is opened anew, and asked again what it was asked. Prints one line of JSON.
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../serve/load/histogram.h"

enum { CONNECTIONS_MAX = 1024, REQUESTS_MAX = 1 << 20, ANSWER_MAX = 16384, DUE_MAX = 1 << 16 };

struct connection {
  int fd;
  uint64_t dueNs;       // of the request under way
  const char *request;  // NULL while none is
  size_t size;          // of the answer so far
  char answer[ANSWER_MAX + 1];
};

static struct connection connections[CONNECTIONS_MAX];
static int port, set;
static struct connection *idle[CONNECTIONS_MAX];
static unsigned idleCount;
static const char *requests[REQUESTS_MAX];
static unsigned requestCount, nextRequest;
static uint64_t due[DUE_MAX];  // a ring of moments at which requests were due while no connection was free
static unsigned dueHead, dueCount;
static struct histogram latencies;
static uint64_t answered, refused, failed, dropped;
static const char *bodyStart;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t state = 0x9E3779B97F4A7C15ull;
static double chance(void) {  // xorshift64*, in (0, 1]
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return ((double)((state * 0x2545F4914F6CDD1Dull) >> 11) + 1) / 9007199254740992.0;
}

static void readRequests(const char *path) {
  const int fd = open(path, O_RDONLY);
  struct stat file;
  if (fd < 0 || fstat(fd, &file) != 0 || file.st_size == 0) die(path);
  const char *text = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (text == MAP_FAILED) die(path);
  for (off_t at = 0; at < file.st_size && requestCount < REQUESTS_MAX; at += (off_t)strlen(text + at) + 1) {
    requests[requestCount++] = text + at;
  }
  close(fd);
}

static void openConnection(struct connection *connection) {
  const struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int on = 1;
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connection->fd < 0) die("socket");
  if (connect(connection->fd, (const struct sockaddr *)&address, sizeof address) != 0) die("connect");
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(set, EPOLL_CTL_ADD, connection->fd, &event) != 0) die("epoll_ctl");
}

// A request is smaller than any socket's buffer, and nothing else is under way.
static bool sendRequest(struct connection *connection) {
  const size_t size = strlen(connection->request);
  connection->size = 0;
  return send(connection->fd, connection->request, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void reopen(struct connection *connection) {
  close(connection->fd);
  openConnection(connection);
  if (connection->request != NULL && !sendRequest(connection)) die("send");
}

static void ask(struct connection *connection, uint64_t dueNs) {
  connection->request = requests[nextRequest];
  connection->dueNs = dueNs;
  nextRequest = (nextRequest + 1) % requestCount;
  if (!sendRequest(connection)) reopen(connection);
}

// Bytes of the whole answer; 0 while its head is not there.
static size_t wholeSize(const struct connection *connection) {
  const char *end = strstr(connection->answer, "\r\n\r\n");
  if (end == NULL) return 0;
  const char *length = strcasestr(connection->answer, "\r\ncontent-length:");
  if (length == NULL || length > end) return SIZE_MAX;
  return (size_t)(end + 4 - connection->answer) + strtoul(length + 17, NULL, 10);
}

static bool isRight(const struct connection *connection) {
  const char *body = strstr(connection->answer, "\r\n\r\n") + 4;
  return strncmp(connection->answer, "HTTP/1.1 2", 10) == 0 && strncmp(body, bodyStart, strlen(bodyStart)) == 0;
}

// Reads what there is; true when the answer is whole.
static bool takeAnswer(struct connection *connection) {
  const ssize_t got = recv(connection->fd, connection->answer + connection->size, ANSWER_MAX - connection->size, 0);
  if (got <= 0) {
    if (connection->size > 0) die("recv");
    reopen(connection);
    return false;
  }
  connection->size += (size_t)got;
  connection->answer[connection->size] = '\0';
  const size_t whole = wholeSize(connection);
  if (whole == 0 || (whole != SIZE_MAX && connection->size < whole)) return false;
  if (whole == connection->size && isRight(connection)) {
    answered++;
    histogramAdd(&latencies, nowNs() - connection->dueNs);
  } else if (whole == connection->size && strncmp(connection->answer, "HTTP/1.1 429 ", 13) == 0) {
    refused++;
  } else if (failed++ == 0) {
    fprintf(stderr, "a wrong answer:\n%s\n", connection->answer);
  }
  return true;
}

static void onAnswer(struct connection *connection, bool isPaced) {
  connection->request = NULL;
  connection->size = 0;
  if (!isPaced) {
    ask(connection, nowNs());
  } else if (dueCount > 0) {
    ask(connection, due[dueHead]);
    dueHead = (dueHead + 1) % DUE_MAX;
    dueCount--;
  } else {
    idle[idleCount++] = connection;
  }
}

static void onDue(uint64_t dueNs) {
  if (idleCount > 0) ask(idle[--idleCount], dueNs);
  else if (dueCount == DUE_MAX) dropped++;
  else due[(dueHead + dueCount++) % DUE_MAX] = dueNs;
}

// Runs for so long; @returns the seconds that it took.
static double run(double rate, double seconds) {
  const uint64_t startNs = nowNs(), endNs = startNs + (uint64_t)(seconds * 1e9);
  double nextNs = (double)startNs;
  for (uint64_t now = startNs; now < endNs; now = nowNs()) {
    for (; rate > 0 && nextNs <= (double)now; nextNs -= log(chance()) * 1e9 / rate) onDue((uint64_t)nextNs);
    struct epoll_event events[256];
    // Paced, it never sleeps: it has a core of its own, and would wake late. So seldom that this is nothing, it does.
    const int count = epoll_wait(set, events, 256, rate == 0 ? 100 : rate < 500 ? 1 : 0);
    for (int i = 0; i < count; i++) {
      if (takeAnswer(events[i].data.ptr)) onAnswer(events[i].data.ptr, rate > 0);
    }
  }
  return (double)(nowNs() - startNs) / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 8) return 64;
  bodyStart = argv[7];
  port = atoi(argv[1]);
  set = epoll_create1(0);
  readRequests(argv[2]);
  const unsigned count = (unsigned)atoi(argv[3]);
  const double rate = atof(argv[4]);
  if (count == 0 || count > CONNECTIONS_MAX || requestCount == 0 || set < 0) return 64;
  for (unsigned i = 0; i < count; i++) {
    struct connection *connection = &connections[i];
    openConnection(connection);
    if (rate > 0) idle[idleCount++] = connection;
    else ask(connection, nowNs());
  }
  run(rate, atof(argv[6]));
  memset(&latencies, 0, sizeof latencies);
  answered = refused = 0;
  const double seconds = run(rate, atof(argv[5]));
  printf("{\"seconds\":%.4f,\"answered\":%llu,\"refused\":%llu,\"failed\":%llu,\"dropped\":%llu,\"p50Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}\n",
         seconds, (unsigned long long)answered, (unsigned long long)refused, (unsigned long long)failed, (unsigned long long)dropped,
         histogramUs(&latencies, 0.5), histogramUs(&latencies, 0.99), (double)latencies.maxNs / 1000);
  return 0;
}
