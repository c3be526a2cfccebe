// Connections over which players ask: what came over them is told in batches, and the answers leave in batches. It knows nothing of
// HTTP. Types and meaning are those of ../http/native-front.ts.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "datagrams.h"

namespace nearcast {

// What a front asks of whoever made it.
class Asker {
 public:
  virtual ~Asker() = default;
  // Bytes have come into the first `count` slots; their replies are to be written.
  virtual void answer(size_t count) = 0;
  // The connection whose bytes are in the slot is somebody else's from now on.
  virtual void handOver(int fd, size_t slot) = 0;
};

struct FrontLimits {
  // More than there are slots: who is in one is not silent.
  size_t connectionsMax;
  uint64_t idleMs;
};

class Front {
 public:
  Front(const Slots& slots, FrontLimits limits, Asker& asker);
  ~Front();
  Front(const Front&) = delete;

  // Readable when there is something to do.
  int pollFd() const { return epoll_; }
  // Does what is to be done, for a bounded while.
  void poll();
  // Accepts on a bound socket, which it duplicates. Returns the port, or a negative errno.
  int listen(int fd);
  // To be called about once a second: cuts who has been silent for too long.
  void tick();
  // Accepts no more, and closes connections once they have been sent what is theirs.
  void drain();
  // Cuts all that is left.
  void stop();

 private:
  struct Connection {
    uint8_t peer[senderBytes] = {};
    uint64_t activeMs = 0;
    std::string unsent;
    std::list<int>::iterator place;
  };
  // Where there are as many connections as may be, who has been silent for the longest makes room.
  void accept(int listener);
  // Notes that something has come from a connection, or gone to it.
  void touch(Connection& connection);
  // The connection is no longer one of these. Returns whether it was.
  bool forget(int fd);
  void rearm(uint32_t events);
  // Takes what has come; returns whether that is for the slot.
  bool receive(int fd, uint32_t events, size_t slot);
  void settle(size_t count);
  // Sends as much as goes; returns whether the connection is still there.
  bool send(int fd, Connection& connection, const char* bytes, size_t size);
  void close(int fd);

  const Slots slots_;
  const FrontLimits limits_;
  Asker& asker_;
  const int epoll_;
  std::vector<int> listeners_;
  std::unordered_map<int, Connection> connections_;
  // Their descriptors, the longest silent first.
  std::list<int> byActivity_;
  std::vector<int> fds_;
  uint64_t nowMs_ = 0;
  bool isDraining_ = false;
};

}  // namespace nearcast
