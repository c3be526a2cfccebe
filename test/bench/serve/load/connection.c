// One keep-alive connection: asks for a range, checks the answer, asks for the next.
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

bool fail(struct load *load, struct connection *connection, enum failure why) {
  load->results.failed[why]++;
  closeConnection(connection);
  return false;
}

void closeConnection(struct connection *connection) {
  if (connection->ssl != NULL) SSL_free(connection->ssl);
  freeRecords(connection);
  if (connection->fd >= 0) close(connection->fd);
  *connection = (struct connection){.fd = -1};
}

bool openConnection(struct load *load, struct connection *connection) {
  const struct timeval patience = {.tv_sec = 10};
  const int one = 1;
  *connection = (struct connection){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const int fd = connection->fd;
  if (fd < 0) return fail(load, connection, connectFailed);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const struct sockaddr *address = (const struct sockaddr *)&load->options.address;
  if (connect(fd, address, sizeof load->options.address) != 0) return fail(load, connection, connectFailed);
  if (load->options.tls && !shakeHands(load, connection)) return fail(load, connection, tlsFailed);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return true;
}

bool ask(struct load *load, struct connection *connection) {
  struct range *range = &connection->range;
  connection->hasFirst = false;
  connection->headLength = 0;
  if (!nextRange(&load->ranges, range)) {
    connection->state = resting;
    load->resting++;
    return true;
  }
  char request[1536];
  // The fields that a player in a browser sends, as far as they cost a server something.
  const int length =
      snprintf(request, sizeof request,
               "GET %s HTTP/1.1\r\nHost: box.example\r\nConnection: keep-alive\r\n"
               "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0\r\n"
               "Accept: */*\r\nOrigin: https://player.example\r\nReferer: https://player.example/\r\n"
               "Accept-Encoding: identity\r\nRange: bytes=%lu-%lu\r\n\r\n",
               load->ranges.targets[range->target].path, range->start, range->start + load->ranges.bytes - 1);
  connection->state = inHead;
  connection->bodyLeft = load->ranges.bytes;
  connection->sentNs = nowNs();
  // Nothing else waits to be sent, so that there is always room for so little.
  const ssize_t sent = connection->ssl == NULL ? send(connection->fd, request, (size_t)length, MSG_NOSIGNAL)
                                               : SSL_write(connection->ssl, request, length);
  return sent == length || fail(load, connection, writeFailed);
}

// The value of a field as a number, from after `skip`; -1 when there is none.
static int64_t fieldNumber(const char *head, const char *field, const char *skip) {
  const char *at = strcasestr(head, field);
  if (at == NULL) return -1;
  at += strlen(field);
  at += strspn(at, " ");
  if (strncasecmp(at, skip, strlen(skip)) != 0) return -1;
  char *end;
  const int64_t value = strtoll(at + strlen(skip), &end, 10);
  return *end == '\r' || *end == '-' ? value : -1;
}

static enum failure headFailure(const struct load *load, const struct connection *connection) {
  const char *head = connection->head;
  if (strncmp(head, "HTTP/1.1 429 ", 13) == 0) return refused;
  if (strncmp(head, "HTTP/1.1 206 ", 13) != 0) return badStatus;
  if (fieldNumber(head, "\r\ncontent-length:", "") != (int64_t)load->ranges.bytes) return badLength;
  const bool isThatRange = fieldNumber(head, "\r\ncontent-range:", "bytes ") == (int64_t)connection->range.start;
  return isThatRange ? failures : badHead;
}

// Counts `count` bytes of the body; the last of them makes room for the next request.
bool takeUnseen(struct load *load, struct connection *connection, size_t count) {
  if (count > connection->bodyLeft) return fail(load, connection, surplus);
  connection->bodyLeft -= count;
  load->results.bytes += count;
  if (connection->bodyLeft > 0) return true;
  histogramAdd(&load->results.whole, nowNs() - connection->sentNs);
  load->results.requests++;
  return ask(load, connection);
}

bool takePlain(struct load *load, struct connection *connection, const uint8_t *bytes, size_t count) {
  if (connection->state == resting) return fail(load, connection, surplus);
  if (connection->state == inHead) {
    const size_t had = connection->headLength;
    const size_t room = sizeof connection->head - 1 - had;
    const size_t taken = count < room ? count : room;
    memcpy(connection->head + had, bytes, taken);
    connection->headLength += taken;
    connection->head[connection->headLength] = '\0';
    const char *end = memmem(connection->head, connection->headLength, "\r\n\r\n", 4);
    if (end == NULL) return taken == count || fail(load, connection, badHead);
    connection->head[end + 2 - connection->head] = '\0';
    const enum failure why = headFailure(load, connection);
    if (why != failures) return fail(load, connection, why);
    connection->state = inBody;
    const size_t whole = (size_t)(end + 4 - connection->head), consumed = whole - had;
    if (whole > load->headBytes) load->headBytes = whole;
    bytes += consumed;
    count -= consumed;
  }
  if (count == 0) return true;
  if (load->options.verify && count <= connection->bodyLeft) {
    const uint8_t *file = load->contents[connection->range.target];
    const uint64_t at = connection->range.start + load->ranges.bytes - connection->bodyLeft;
    if (memcmp(file + at, bytes, count) != 0) return fail(load, connection, badBytes);
  }
  return takeUnseen(load, connection, count);
}

bool onReadable(struct load *load, struct connection *connection) {
  if (!connection->hasFirst && connection->state == inHead && connection->ssl == NULL) {
    connection->hasFirst = true;
    histogramAdd(&load->results.first, nowNs() - connection->sentNs);
  }
  if (connection->ssl != NULL) return readRecords(load, connection);
  const bool isUnseen = connection->state == inBody && !load->options.verify;
  // MSG_TRUNC on TCP drops bytes without copying them: the server is measured, not this program.
  // So it asks for no more than a head is long, lest the body's first bytes be copied with it.
  const size_t head = load->headBytes > 0 ? load->headBytes : sizeof connection->head - 1;
  const size_t wanted = isUnseen ? connection->bodyLeft : connection->state == inBody ? sizeof load->scratch : head;
  const ssize_t got = recv(connection->fd, isUnseen ? NULL : load->scratch, wanted, isUnseen ? MSG_TRUNC : 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return fail(load, connection, closedEarly);
  return isUnseen ? takeUnseen(load, connection, (size_t)got) : takePlain(load, connection, load->scratch, (size_t)got);
}
