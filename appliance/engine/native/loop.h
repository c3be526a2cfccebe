// The loop: one epoll set with all sockets of a server, driven by whoever polls its descriptor (Node's loop).
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "caps.h"
#include "connection.h"
#include "script.h"

namespace nearcast {

struct ServerOptions {
  Settings settings;
  int capsFd = -1;
  unsigned workers = 1;
  unsigned worker = 0;
  uint32_t connectionsMax = 10'000;
  uint32_t connectionsPerAddressMax = 0;
  uint64_t paceBytesPerSecond = 0;
  size_t filesMax = 1024;
  size_t grantsMax = 16'384;
  size_t recordsMax = 8192;
  unsigned readThreadsPerDisk = 4;
  size_t readMemoryBytes = 64 << 20;
  double* counters = nullptr;
};

std::string addressText(const Address& address);
// False where it is no address or prefix.
bool parseAddress(const std::string& text, Address& address);
bool parsePrefix(const std::string& text, Prefix& prefix);

class Server final : public Host {
 public:
  Server(ServerOptions options, Script& script);
  ~Server() override;

  int pollFd() const { return epoll_; }
  // Handles what is ready, for a bounded while; what is left makes `pollFd` ready again.
  void poll();
  void tick();

  bool listen(int fd);
  void stopListening();
  void closeIdle();
  void decide(uint64_t id, bool again);
  void handedClosed(uint64_t id);
  Connection* find(uint64_t id);
  // After calls that may have ended connections outside of `poll`.
  void settle();
  // Makes `pollFd` ready, so that what was queued outside of `poll` is done.
  void wake();
  void setTls(std::shared_ptr<TlsContext> tls) { tls_ = std::move(tls); }
  TlsContext* tls() { return tls_.get(); }
  Shared& shared() { return shared_; }

  ssize_t receive(Connection& connection, char* into, size_t room) override;
  ssize_t send(Connection& connection, std::string_view bytes, bool more) override;
  ssize_t sendFile(Connection& connection, int fd, uint64_t offset, size_t bytes) override;
  ssize_t readNow(int fd, char* into, size_t bytes, uint64_t offset) override;
  void cork(Connection& connection, bool on) override;
  void shutdownWrite(Connection& connection) override;
  bool readCold(Connection& connection, OpenFile& file, uint64_t offset, uint32_t bytes, Priority priority) override;
  void releaseRead(char* data, uint32_t disk) override;
  bool park(Connection& connection) override;
  void handOver(Connection& connection, std::string_view bytes) override;
  void beginStream(Connection& connection, std::string_view bytes) override;
  void streamData(Connection& connection, std::string_view bytes, bool isEnd) override {
    script_.streamData(connection.id, bytes, isEnd);
  }
  void streamDrained(Connection& connection, bool isBroken) override { script_.streamDrained(connection.id, isBroken); }
  void fileFailed(const OpenFile& file, int error) override { script_.fileFailed(file, error); }
  void runLater(Connection& connection) override;
  // Nothing is sent on a socket of which the rest was never read: the client sees a reset, and that it was cut.
  void over(Connection& connection) override { dead_.push_back(connection.id); }
  uint64_t nowNs() override;
  uint64_t unixMs() override { return unixMs_; }
  std::string_view date() override { return date_; }
  uint64_t pseudonym(const Address& address) override { return script_.pseudonym(address); }

 private:
  struct Slot {
    std::unique_ptr<Connection> connection;
    uint32_t generation = 0;
  };
  struct HandOver {
    int fd;
    std::string bytes;
    uint64_t id;
    bool isStream;
  };
  void refreshTime();
  void accept(int listener);
  void admit(int fd, const Address& client, uint16_t port);
  void outOfDescriptors(int listener);
  void watch(int listener, uint32_t events);
  void onEvent(const epoll_event& event);
  void takeReads();
  void runQueued();
  void deliver();
  void free(uint64_t id);
  DiskReaders* readers(uint32_t disk);

  Script& script_;
  ServerOptions options_;
  Shared shared_;
  Caps caps_;
  std::shared_ptr<TlsContext> tls_;
  int epoll_ = -1;
  int wakeFd_ = -1;
  int reserveFd_ = -1;  // given up for a moment when there are no other descriptors
  std::vector<int> listeners_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> freeSlots_;
  std::vector<uint64_t> queue_;
  std::vector<uint64_t> parked_;
  std::vector<uint64_t> dead_;
  std::vector<HandOver> handOvers_;
  std::unordered_map<uint64_t, uint32_t> handed_;  // connections that JavaScript has, and where each is counted
  std::unordered_map<uint64_t, OpenFile*> reads_;  // files that a thread reads, by connection
  std::map<uint32_t, std::unique_ptr<DiskReaders>> disks_;
  bool recordsTold_ = false;
  bool isBusy_ = false;  // with connections: JavaScript is called, but none is freed under whoever runs it
  uint64_t unixMs_ = 0;
  char date_[30] = {};
};

}  // namespace nearcast
