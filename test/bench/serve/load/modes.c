// Connections that are a burden rather than a load: such that do nothing, and such that never finish a request.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { answerWaitMs = 10000 };

struct slowCounts {
  uint64_t open;      // now
  uint64_t opened;    // ever
  uint64_t cut;       // by the server, without a word
  uint64_t answered;  // by the server, and ended by us
};

// Until the one answer that was asked for is whole.
static bool answerOne(struct load *load, struct connection *connection) {
  if (!openConnection(load, connection)) return false;
  load->resting = 0;
  load->ranges.onceNext = 0;
  load->ranges.onceCount = 1;  // one range, then rest
  if (!ask(load, connection)) return false;
  while (load->resting == 0) {
    struct pollfd wanted = {.fd = connection->fd, .events = POLLIN};
    if (poll(&wanted, 1, answerWaitMs) != 1) return fail(load, connection, closedEarly);
    if (!onReadable(load, connection)) return false;
  }
  return true;
}

int runIdle(struct load *load) {
  unsigned open = 0;
  if (load->ranges.once == NULL) shuffleOnce(&load->ranges);
  for (unsigned i = 0; i < load->options.connections; i++) {
    if (!answerOne(load, &load->connections[i])) break;
    open++;
  }
  printf("{\"open\":%u}\n", open);
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  // Those that the server closed meanwhile have an end to read.
  unsigned held = 0;
  for (unsigned i = 0; i < open; i++) {
    const ssize_t got = recv(load->connections[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got != 0 && (got > 0 || errno == EAGAIN)) held++;
  }
  printf("{\"held\":%u}\n", held);
  return open == load->options.connections ? 0 : 1;
}

// One beat of a slow connection: another byte of its head, or a new connection where the server has ended it.
static void beat(struct load *load, struct connection *connection, struct slowCounts *counts) {
  static const char head[] = "GET / HTTP/1.1\r\nHost: box.example\r\nX-Slow: ";
  if (connection->fd >= 0) {
    char answer[512];
    const ssize_t got = recv(connection->fd, answer, sizeof answer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
      const char next = connection->headLength < sizeof head - 1 ? head[connection->headLength] : 'a';
      connection->headLength++;
      counts->open += send(connection->fd, &next, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
      return;
    }
    // Told to go away (408, 429) or simply cut: both are right.
    if (got > 0) counts->answered++;
    else counts->cut++;
    closeConnection(connection);
  }
  if (!openConnection(load, connection)) return;
  counts->opened++;
  counts->open++;
}

int runSlow(struct load *load) {
  const uint64_t endNs = nowNs() + (uint64_t)(load->options.seconds * 1e9);
  struct slowCounts counts = {0};
  uint64_t most = 0;
  load->options.tls = false;  // a handshake would come before any head
  while (nowNs() < endNs) {
    const uint64_t beatEndNs = nowNs() + 1000000000;
    counts.open = 0;
    for (unsigned i = 0; i < load->options.connections && nowNs() < endNs; i++) {
      beat(load, &load->connections[i], &counts);
    }
    if (counts.open > most) most = counts.open;
    while (nowNs() < beatEndNs && nowNs() < endNs) usleep(10000);
  }
  printf("{\"opened\":%lu,\"mostOpen\":%lu,\"cut\":%lu,\"answered\":%lu,\"failed\":%lu}\n", counts.opened, most,
         counts.cut, counts.answered, load->results.failed[connectFailed]);
  return 0;
}
