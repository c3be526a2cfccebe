// Preloaded into an appliance: makes file operations fail as a broken disk makes them, for the paths that a control file
// names. Its lines are `OP ERRNO PREFIX`: OP is read, write (and everything that changes the disk) or hang (any, for ever).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int faultOf(const char *op, const char *path) {
  const char *control = getenv("FAULTY_IO");
  if (control == NULL) return 0;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[4096];
  long length = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  text[length > 0 ? length : 0] = 0;
  for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    char wanted[16], prefix[2048];
    int error;
    if (sscanf(line, "%15s %d %2047s", wanted, &error, prefix) != 3) continue;
    if (strncmp(path, prefix, strlen(prefix)) != 0) continue;
    if (strcmp(wanted, "hang") == 0) for (;;) pause();
    if (strcmp(wanted, op) == 0) return error;
  }
  return 0;
}

static int faultOfFd(const char *op, int fd) {
  if (getenv("FAULTY_IO") == NULL) return 0;
  char link[64], path[2048];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0 || path[0] != '/') return 0;
  path[length] = 0;
  return faultOf(op, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_FD(op, fd)                  \
  do {                                   \
    int fault = faultOfFd(op, fd);       \
    if (fault != 0) {                    \
      errno = fault;                     \
      return -1;                         \
    }                                    \
  } while (0)

ssize_t read(int fd, void *to, size_t bytes) { FAIL_FD("read", fd); return REAL(read)(fd, to, bytes); }
ssize_t pread(int fd, void *to, size_t bytes, off_t at) { FAIL_FD("read", fd); return REAL(pread)(fd, to, bytes, at); }
ssize_t pread64(int fd, void *to, size_t bytes, off64_t at) { FAIL_FD("read", fd); return REAL(pread64)(fd, to, bytes, at); }
ssize_t preadv(int fd, const struct iovec *to, int count, off_t at) { FAIL_FD("read", fd); return REAL(preadv)(fd, to, count, at); }
ssize_t preadv64(int fd, const struct iovec *to, int count, off64_t at) { FAIL_FD("read", fd); return REAL(preadv64)(fd, to, count, at); }
ssize_t write(int fd, const void *from, size_t bytes) { FAIL_FD("write", fd); return REAL(write)(fd, from, bytes); }
ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at) { FAIL_FD("write", fd); return REAL(pwrite)(fd, from, bytes, at); }
ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) { FAIL_FD("write", fd); return REAL(pwrite64)(fd, from, bytes, at); }
ssize_t pwritev(int fd, const struct iovec *from, int count, off_t at) { FAIL_FD("write", fd); return REAL(pwritev)(fd, from, count, at); }
ssize_t pwritev64(int fd, const struct iovec *from, int count, off64_t at) { FAIL_FD("write", fd); return REAL(pwritev64)(fd, from, count, at); }
int fsync(int fd) { FAIL_FD("write", fd); return REAL(fsync)(fd); }
int fdatasync(int fd) { FAIL_FD("write", fd); return REAL(fdatasync)(fd); }
int ftruncate64(int fd, off64_t bytes) { FAIL_FD("write", fd); return REAL(ftruncate64)(fd, bytes); }
ssize_t sendfile(int to, int from, off_t *at, size_t bytes) { FAIL_FD("read", from); return REAL(sendfile)(to, from, at, bytes); }
ssize_t sendfile64(int to, int from, off64_t *at, size_t bytes) { FAIL_FD("read", from); return REAL(sendfile64)(to, from, at, bytes); }
