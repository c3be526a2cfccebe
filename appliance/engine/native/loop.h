// The loop: one epoll set with all sockets of a server, driven by whoever polls its descriptor (Node's loop).
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "caps.h"
#include "connection.h"
#include "script.h"

namespace nearcast {

struct Peer;

class Server final : public Host {
 public:
  Server(Settings settings, Script& script);
  ~Server() override;

  int pollFd() const { return epoll_.get(); }
  // Handles what is ready, for a bounded while; what is left makes `pollFd` ready again.
  void poll();
  // To be called a few times a second.
  void tick();

  // Accepts on a bound socket, which it duplicates, and says where that is.
  std::tuple<std::string, uint16_t> listen(int fd);
  void stopListening() { listeners_.clear(); }
  void closeIdle();
  void decide(uint64_t id, bool again);
  void handedClosed(uint64_t id);
  Connection* find(uint64_t id);
  // After calls that may have ended connections outside of `poll`.
  void settle();
  // Makes `pollFd` ready, so that what was queued outside of `poll` is done.
  void wake() { eventfd_write(wakeFd_->get(), 1); }
  Shared& shared() { return shared_; }
  std::shared_ptr<TlsContext> tls;

  ssize_t receive(Connection& connection, char* into, size_t room) override;
  ssize_t send(Connection& connection, std::string_view bytes, bool more) override;
  ssize_t sendFile(Connection& connection, int fd, uint64_t offset, size_t bytes) override;
  ssize_t readNow(int fd, char* into, size_t bytes, uint64_t offset) override;
  void cork(Connection& connection, bool on) override;
  void shutdownWrite(Connection& connection) override;
  bool readCold(Connection& connection, uint32_t disk, ReadJob job) override;
  bool park(Connection& connection) override;
  void handOver(Connection& connection, std::string_view bytes) override;
  // JavaScript is told these at once.
  void streamData(Connection& connection, std::string_view bytes) override {
    script_.tell("streamData", connection.id, Bytes{bytes});
  }
  void streamDrained(Connection& connection, bool isBroken) override {
    script_.tell("streamDrained", connection.id, isBroken);
  }
  void fileFailed(const OpenFile& file, int error) override {
    script_.tell("fileFailed", file.file(), file.ext(), error);
  }
  uint64_t nowNs() override { return monotonicNs(); }

 private:
  struct HandOver {
    Descriptor fd;  // none for a stream
    std::string bytes;
    uint64_t id;
  };
  void refreshTime();
  void accept(int listener);
  void admit(Descriptor fd, const Peer& client);
  void outOfDescriptors(int listener);
  int watch(int operation, int fd, uint64_t tag, uint32_t events);
  void onEvent(const epoll_event& event);
  void takeReads();
  void runQueued();
  void deliver();
  void free(uint64_t id);
  DiskReaders* readersOf(uint32_t disk);

  Script& script_;
  Shared shared_;
  Caps caps_;
  const Descriptor epoll_;
  const std::shared_ptr<const Descriptor> wakeFd_;  // of the disks' readers too
  Descriptor reserveFd_;  // given up for a moment when there are no other descriptors
  std::vector<Descriptor> listeners_;
  std::unordered_map<uint64_t, Connection> connections_;
  uint64_t lastId_ = 0;
  std::vector<uint64_t> parked_;
  std::vector<HandOver> handOvers_;
  size_t handed_ = 0;  // connections that JavaScript has, and which are only counted here
  std::map<uint32_t, std::shared_ptr<DiskReaders>> disks_;
  bool isBusy_ = false;  // with connections: JavaScript is called, but none is freed under whoever runs it
};

}  // namespace nearcast
