// The limit of what a server on this kernel can do with sendfile: epoll, corked answers, and as little parsing as will
// answer `GET /NAME` with `Range: bytes=A-B`. It is no server, only a yardstick: whoever comes near it wastes nothing.
//
//   limit ROOT      prints {"port":N} and serves the files of ROOT until it is killed
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  headBytesMax = 4096,
  connectionsMax = 20000,
  filesMax = 64,
  turnBytes = 2 << 20,   // of one connection before the others have theirs
  corkBytes = 64 << 10,  // above it a cork is worth its two calls
};

struct file {
  char name[256];
  int fd;
  uint64_t size;
};

struct connection {
  int fd;
  int file;
  off_t at;
  uint64_t left;
  int isWaitingForTurn;
  int isCorked;
  size_t length;
  char head[headBytesMax];
};

static struct file files[filesMax];
static int fileCount;
static struct connection *turns[connectionsMax];  // those that used up their turn
static int turnCount;
static int root;

static struct file *openFile(const char *name, size_t length) {
  for (int i = 0; i < fileCount; i++) {
    if (strlen(files[i].name) == length && memcmp(files[i].name, name, length) == 0) return &files[i];
  }
  if (fileCount == filesMax || length >= sizeof files[0].name) return NULL;
  struct file *file = &files[fileCount];
  struct stat status;
  memcpy(file->name, name, length);
  file->name[length] = '\0';
  file->fd = openat(root, file->name, O_RDONLY | O_CLOEXEC);
  if (file->fd < 0 || fstat(file->fd, &status) != 0) return NULL;
  file->size = (uint64_t)status.st_size;
  fileCount++;
  return file;
}

static void cork(struct connection *connection, int on) {
  if (connection->isCorked == on) return;
  connection->isCorked = on;
  setsockopt(connection->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

// Parses the one request that is there and sends the head of its answer. False for anything that it does not
// understand.
static int answer(struct connection *connection) {
  char *name = connection->head + 5, *nameEnd, *range;
  if (memcmp(connection->head, "GET /", 5) != 0 || (nameEnd = strchr(name, ' ')) == NULL) return 0;
  if ((range = strcasestr(nameEnd, "\r\nrange: bytes=")) == NULL) return 0;
  struct file *file = openFile(name, (size_t)(nameEnd - name));
  if (file == NULL) return 0;
  char *dash;
  const uint64_t first = strtoull(range + 15, &dash, 10), last = strtoull(dash + 1, NULL, 10);
  if (last < first || last >= file->size) return 0;
  char head[256];
  const int length =
      snprintf(head, sizeof head,
               "HTTP/1.1 206 Partial Content\r\nContent-Length: %lu\r\nContent-Range: bytes %lu-%lu/%lu\r\n"
               "Content-Type: video/mp4\r\n\r\n",
               last - first + 1, first, last, file->size);
  connection->file = file->fd;
  connection->at = (off_t)first;
  connection->left = last - first + 1;
  connection->length = 0;
  if (connection->left > corkBytes) cork(connection, 1);
  return send(connection->fd, head, (size_t)length, MSG_MORE | MSG_NOSIGNAL) == length;
}

static void drop(struct connection *connection) {
  close(connection->fd);
  if (connection->isWaitingForTurn) connection->fd = -1;  // freed when its turn comes
  else free(connection);
}

// Sends until the socket is full, the body is out, or the turn is over; then reads the next request.
static void serve(struct connection *connection) {
  uint64_t turn = turnBytes;
  for (;;) {
    while (connection->left > 0 && turn > 0) {
      const uint64_t wanted = connection->left < turn ? connection->left : turn;
      const ssize_t sent = sendfile(connection->fd, connection->file, &connection->at, wanted);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent <= 0) return drop(connection);
      connection->left -= (uint64_t)sent;
      turn -= (uint64_t)sent;
    }
    if (connection->left > 0) {
      if (connection->isWaitingForTurn || turnCount == connectionsMax) return;
      connection->isWaitingForTurn = 1;
      turns[turnCount++] = connection;
      return;
    }
    cork(connection, 0);
    char *end = connection->head + connection->length;
    const ssize_t got = recv(connection->fd, end, headBytesMax - 1 - connection->length, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(connection);
    connection->length += (size_t)got;
    connection->head[connection->length] = '\0';
    if (strstr(connection->head, "\r\n\r\n") != NULL && !answer(connection)) return drop(connection);
  }
}

static void acceptAll(int set, int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = calloc(1, sizeof *connection);
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
  }
}

static int listenAnywhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 4096) != 0) return -1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

int main(int argc, char **argv) {
  struct rlimit limit;
  signal(SIGPIPE, SIG_IGN);  // sendfile knows no MSG_NOSIGNAL
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  root = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  const int listener = root < 0 ? -1 : listenAnywhere(), set = epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0) return fprintf(stderr, "usage: limit ROOT\n"), 64;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[256];
    const int count = epoll_wait(set, events, 256, turnCount > 0 ? 0 : -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == NULL) acceptAll(set, listener);
      else serve(events[i].data.ptr);
    }
    const int waiting = turnCount;
    for (int i = 0; i < waiting; i++) {
      turns[i]->isWaitingForTurn = 0;
      if (turns[i]->fd < 0) free(turns[i]);
      else serve(turns[i]);
    }
    // Those that used up another turn have queued behind the ones just served.
    memmove(turns, turns + waiting, (size_t)(turnCount - waiting) * sizeof turns[0]);
    turnCount -= waiting;
  }
}
