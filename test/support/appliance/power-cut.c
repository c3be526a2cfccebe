// Preloaded into an appliance: lets everything happen, and writes down each change of what lies below a directory, and each
// sync of it, in the order in which they ended. power-cut.ts makes of that what a disk may hold after the power was cut.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// As power-cut.ts reads it.
struct Head {
  uint32_t op;
  uint32_t pathBytes;
  uint32_t otherBytes;
  uint32_t unused;
  uint64_t at;
  uint64_t dataBytes;
};

#define PARTS_MAX 64
static uint64_t syncs;

static const char *root(void) { return getenv("POWER_ROOT"); }

static int isBelow(const char *path) {
  const char *above = root();
  size_t length = above == NULL ? 0 : strlen(above);
  return length > 0 && strncmp(path, above, length) == 0 && (path[length] == '/' || path[length] == 0);
}

// Whole records only: the kernel appends each call's bytes together, whoever else writes.
static void note(char op, uint64_t at, const char *path, const char *other, const struct iovec *data, int count) {
  int before = errno;
  const char *log = getenv("POWER_LOG");
  int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || count > PARTS_MAX) abort();
  struct Head head = {.op = (uint32_t)op, .pathBytes = (uint32_t)strlen(path), .otherBytes = (uint32_t)strlen(other), .at = at};
  struct iovec parts[PARTS_MAX + 3] = {
      {&head, sizeof head}, {(void *)path, head.pathBytes}, {(void *)other, head.otherBytes}};
  for (int each = 0; each < count; each++) {
    parts[each + 3] = data[each];
    head.dataBytes += data[each].iov_len;
  }
  long all = (long)(sizeof head + head.pathBytes + head.otherBytes + head.dataBytes);
  if (syscall(SYS_writev, fd, parts, count + 3) != all) abort();
  syscall(SYS_close, fd);
  errno = before;
}

// The path of what is open, below the directory and not deleted.
static int pathOf(int fd, char path[PATH_MAX]) {
  if (root() == NULL) return 0;
  int before = errno;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  errno = before;
  if (length <= 0) return 0;
  path[length] = 0;
  return isBelow(path) && strstr(path, " (deleted)") == NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// Of what was to be written only so much was.
static void wrote(int fd, ssize_t done, off_t at, const struct iovec *from, int count) {
  char path[PATH_MAX];
  if (done <= 0 || !pathOf(fd, path)) return;
  if (count > PARTS_MAX) abort();
  struct iovec parts[PARTS_MAX];
  size_t left = (size_t)done;
  int used = 0;
  for (; used < count && left > 0; used++) {
    parts[used] = from[used];
    if (parts[used].iov_len > left) parts[used].iov_len = left;
    left -= parts[used].iov_len;
  }
  note('w', (uint64_t)at, path, "", parts, used);
}

static void wroteHere(int fd, ssize_t done, const struct iovec *from, int count) {
  if (done > 0 && root() != NULL) wrote(fd, done, lseek(fd, 0, SEEK_CUR) - done, from, count);
}

#define ONE(from, bytes) &(struct iovec){(void *)(from), (bytes)}, 1

ssize_t write(int fd, const void *from, size_t bytes) {
  ssize_t done = REAL(write)(fd, from, bytes);
  wroteHere(fd, done, ONE(from, bytes));
  return done;
}
ssize_t writev(int fd, const struct iovec *from, int count) {
  ssize_t done = REAL(writev)(fd, from, count);
  wroteHere(fd, done, from, count);
  return done;
}

#define POSITIONED(name, offset)                                        \
  ssize_t name(int fd, const void *from, size_t bytes, offset at) {     \
    ssize_t done = REAL(name)(fd, from, bytes, at);                     \
    wrote(fd, done, at, ONE(from, bytes));                              \
    return done;                                                        \
  }
POSITIONED(pwrite, off_t)
POSITIONED(pwrite64, off64_t)

#define POSITIONED_PARTS(name, offset)                                        \
  ssize_t name(int fd, const struct iovec *from, int count, offset at) {      \
    ssize_t done = REAL(name)(fd, from, count, at);                           \
    wrote(fd, done, at, from, count);                                         \
    return done;                                                              \
  }
POSITIONED_PARTS(pwritev, off_t)
POSITIONED_PARTS(pwritev64, off64_t)

#define TRUNCATE(name, offset)                          \
  int name(int fd, offset bytes) {                      \
    char path[PATH_MAX];                                \
    int result = REAL(name)(fd, bytes);                 \
    if (result == 0 && pathOf(fd, path)) note('t', (uint64_t)bytes, path, "", NULL, 0); \
    return result;                                      \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

// What was written down before it began is durable when it has ended.
#define SYNC(name)                                                                      \
  int name(int fd) {                                                                    \
    char path[PATH_MAX];                                                                \
    int isOurs = pathOf(fd, path);                                                      \
    uint64_t id = ((uint64_t)getpid() << 32) + __atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED); \
    if (isOurs) note('b', id, path, "", NULL, 0);                                       \
    int result = REAL(name)(fd);                                                        \
    if (isOurs && result == 0) note('s', id, path, "", NULL, 0);                        \
    return result;                                                                      \
  }
SYNC(fsync)
SYNC(fdatasync)

static int opened(int fd, int wasThere, const char *path, int flags, mode_t mode) {
  if (fd < 0 || !isBelow(path)) return fd;
  if ((flags & O_CREAT) != 0 && !wasThere) note('c', mode, path, "", NULL, 0);
  else if ((flags & O_TRUNC) != 0) note('t', 0, path, "", NULL, 0);
  return fd;
}

static int isThere(const char *path) {
  struct stat found;
  return isBelow(path) && fstatat(AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) == 0;
}

#define MODE_OF(flags)                    \
  mode_t mode = 0;                        \
  if (((flags) & O_CREAT) != 0) {         \
    va_list more;                         \
    va_start(more, flags);                \
    mode = va_arg(more, mode_t);          \
    va_end(more);                         \
  }
#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    MODE_OF(flags)                                                        \
    int before = errno, wasThere = isThere(path);                         \
    errno = before;                                                       \
    return opened(REAL(name)(path, flags, mode), wasThere, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode) {
  int result = REAL(mkdir)(path, mode);
  if (result == 0 && isBelow(path)) note('m', mode, path, "", NULL, 0);
  return result;
}

#define REMOVED(result, path)                                      \
  do {                                                             \
    if ((result) == 0 && isBelow(path)) note('u', 0, path, "", NULL, 0); \
    return result;                                                 \
  } while (0)
int unlink(const char *path) { int result = REAL(unlink)(path); REMOVED(result, path); }
int rmdir(const char *path) { int result = REAL(rmdir)(path); REMOVED(result, path); }
int remove(const char *path) { int result = REAL(remove)(path); REMOVED(result, path); }

#define TWO_NAMES(name, op)                                                            \
  int name(const char *from, const char *to) {                                         \
    int result = REAL(name)(from, to);                                                 \
    if (result == 0 && isBelow(from) != isBelow(to)) abort();                          \
    if (result == 0 && isBelow(to)) note(op, 0, from, to, NULL, 0);                    \
    return result;                                                                     \
  }
TWO_NAMES(rename, 'r')
TWO_NAMES(link, 'l')
