#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "loop.h"

// The world of a connection: sockets, and disks.

namespace nearcast {
namespace {

constexpr uint64_t diskPatienceNs = 1'500'000'000;

ssize_t orErrno(ssize_t result) { return result < 0 ? -errno : result; }

}  // namespace

ssize_t Server::receive(Connection& connection, char* into, size_t room) {
  return orErrno(recv(connection.fd.get(), into, room, 0));
}

ssize_t Server::send(Connection& connection, std::string_view bytes, bool more) {
  const ssize_t sent = ::send(connection.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (sent > 0) shared_.counters.add(Counter::bytesWire, static_cast<double>(sent));
  return orErrno(sent);
}

ssize_t Server::sendFile(Connection& connection, int fd, uint64_t offset, size_t bytes) {
  off_t at = static_cast<off_t>(offset);
  const ssize_t sent = sendfile(connection.fd.get(), fd, &at, bytes);
  if (sent > 0) shared_.counters.add(Counter::bytesWire, static_cast<double>(sent));
  return orErrno(sent);
}

ssize_t Server::readNow(int fd, char* into, size_t bytes, uint64_t offset) {
  const iovec part{into, bytes};
  const ssize_t got = preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (got >= 0 || errno != EOPNOTSUPP) return orErrno(got);
  // A file system that cannot be asked so: what is in memory is read all the same.
  if (!isResident(fd, offset, bytes, shared_.probe)) return -EAGAIN;
  return orErrno(pread(fd, into, bytes, static_cast<off_t>(offset)));
}

void Server::cork(Connection& connection, bool on) {
  const int value = on;
  setsockopt(connection.fd.get(), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

void Server::shutdownWrite(Connection& connection) { shutdown(connection.fd.get(), SHUT_WR); }

DiskReaders* Server::readersOf(uint32_t disk) {
  const auto found = disks_.find(disk);
  if (found != disks_.end()) return found->second.get();
  DiskReaders::Options options;
  options.threads = static_cast<unsigned>(shared_.settings.readThreadsPerDisk);
  options.memoryBytes = shared_.settings.readMemoryBytes;
  // Without threads there are none now; later there may be.
  auto made = DiskReaders::make(options, wakeFd_);
  return made ? disks_.emplace(disk, std::move(made)).first->second.get() : nullptr;
}

bool Server::readCold(Connection& connection, uint32_t disk, ReadJob job) {
  DiskReaders* const readers = readersOf(disk);
  // Who asks a disk that hangs is better served elsewhere at once than after the player's patience.
  if (readers == nullptr || readers->oldestWaitNs(nowNs()) > diskPatienceNs || !readers->submit(std::move(job)))
    return false;
  connection.reads = readers;
  shared_.counters.add(Counter::coldReads);
  return true;
}

void Server::takeReads() {
  for (auto& [disk, each] : disks_) {
    while (std::optional<ReadJob> job = each->take()) {
      shared_.counters.add(Counter::coldReadBytes, job->got);
      Connection* const connection = find(job->owner);
      if (connection == nullptr) continue;
      connection->reads = nullptr;
      connection->onRead(std::move(*job));
    }
  }
}

}  // namespace nearcast
