// A descriptor that is closed when nobody has it any more, and errno as an exception.
#pragma once

#include <errno.h>
#include <unistd.h>

#include <system_error>
#include <utility>

namespace nearcast {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& from) noexcept : fd_(from.release()) {}
  Descriptor& operator=(Descriptor&& from) noexcept {
    std::swap(fd_, from.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// What a system call returned; where it failed its errno is thrown, which becomes the code of an error in JavaScript.
inline int checked(int result) {
  if (result < 0) throw std::system_error(errno, std::generic_category());
  return result;
}

}  // namespace nearcast
