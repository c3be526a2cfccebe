#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcast {
namespace {

constexpr int listenBacklog = 4096;
constexpr int acceptsMax = 64;
constexpr int roundsMax = 16;  // then Node's loop has its turn
constexpr uint64_t turnMsMax = 4;

uint64_t monotonicMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

int watch(int epoll, int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll, operation, fd, &event);
}

bool isOver(ssize_t result) { return result < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR; }

}  // namespace

Front::Front(const Slots& slots, FrontLimits limits, Asker& asker)
    : slots_(slots), limits_(limits), asker_(asker), epoll_(epoll_create1(EPOLL_CLOEXEC)), fds_(slots.count) {}

Front::~Front() {
  stop();
  ::close(epoll_);
}

int Front::listen(int fd) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -errno;
  const int flags = fcntl(own, F_GETFL);
  if (fcntl(own, F_SETFL, flags | O_NONBLOCK) != 0 || ::listen(own, listenBacklog) != 0 ||
      watch(epoll_, EPOLL_CTL_ADD, own, EPOLLIN) != 0) {
    const int error = errno;
    ::close(own);
    return -error;
  }
  listeners_.push_back(own);
  return portOf(own);
}

void Front::poll() {
  std::vector<epoll_event> events(slots_.count);
  const uint64_t endMs = monotonicMs() + turnMsMax;
  for (int round = 0; round < roundsMax; round++) {
    nowMs_ = monotonicMs();
    if (nowMs_ >= endMs) return;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
    if (count <= 0) return;
    size_t filled = 0;
    for (int at = 0; at < count; at++)
      if (receive(events[at].data.fd, events[at].events, filled)) filled++;
    if (filled > 0) {
      asker_.answer(filled);
      settle(filled);
    }
    // Behind all else, since a new connection may have the descriptor of one that was closed. Answering may end all listening.
    for (int at = 0; at < count; at++)
      if (std::ranges::find(listeners_, events[at].data.fd) != listeners_.end()) accept(events[at].data.fd);
    // All that was ready has been looked at; what comes now makes `pollFd` readable again.
    if (static_cast<size_t>(count) < events.size()) return;
  }
}

void Front::accept(int listener) {
  for (int at = 0; at < acceptsMax; at++) {
    sockaddr_in6 from{};
    socklen_t size = sizeof from;
    const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Whoever waits would be told again and again; the next tick looks again.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) rearm(0);
      return;
    }
    if (watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN) != 0) {
      ::close(fd);
      continue;
    }
    if (connections_.size() >= limits_.connectionsMax) close(byActivity_.front());
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Connection& made = connections_[fd];
    made = Connection{};
    made.activeMs = nowMs_;
    made.place = byActivity_.insert(byActivity_.end(), fd);
    describePeer(from, made.peer);
  }
}

void Front::rearm(uint32_t events) {
  for (const int listener : listeners_) watch(epoll_, EPOLL_CTL_MOD, listener, events);
}

bool Front::receive(int fd, uint32_t events, size_t slot) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return false;
  Connection& connection = found->second;
  if (!connection.unsent.empty()) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      close(fd);
      return false;
    }
    const std::string rest = std::exchange(connection.unsent, {});
    if (!send(fd, connection, rest.data(), rest.size()) || !connection.unsent.empty()) return false;
    if (isDraining_)
      close(fd);
    else
      watch(epoll_, EPOLL_CTL_MOD, fd, EPOLLIN);
    return false;
  }
  const ssize_t size = recv(fd, slots_.packets + slot * slots_.packetBytes, slots_.packetBytes, 0);
  if (size == 0 || isOver(size)) close(fd);
  if (size <= 0) return false;
  touch(connection);
  slots_.packetLengths[slot] = static_cast<int32_t>(size);
  slots_.replyLengths[slot] = 0;
  memcpy(slots_.senders + slot * senderBytes, connection.peer, senderBytes);
  fds_[slot] = fd;
  return true;
}

// Sends the replies first: whoever takes a connection over may do much with it.
void Front::settle(size_t count) {
  for (size_t slot = 0; slot < count; slot++) {
    const auto found = connections_.find(fds_[slot]);
    const int32_t size = slots_.replyLengths[slot];
    if (size <= 0 || static_cast<size_t>(size) > slots_.replyBytes || found == connections_.end()) continue;
    const char* reply = reinterpret_cast<const char*>(slots_.replies + slot * slots_.replyBytes);
    if (send(fds_[slot], found->second, reply, static_cast<size_t>(size)) && !found->second.unsent.empty())
      watch(epoll_, EPOLL_CTL_MOD, fds_[slot], EPOLLOUT);
  }
  for (size_t slot = 0; slot < count; slot++) {
    const int fd = fds_[slot];
    if (slots_.replyLengths[slot] > 0 || !forget(fd)) continue;
    watch(epoll_, EPOLL_CTL_DEL, fd, 0);
    asker_.handOver(fd, slot);
  }
}

bool Front::send(int fd, Connection& connection, const char* bytes, size_t size) {
  const ssize_t sent = ::send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (isOver(sent)) {
    close(fd);
    return false;
  }
  const size_t gone = sent < 0 ? 0 : static_cast<size_t>(sent);
  if (gone > 0) touch(connection);
  if (gone < size) connection.unsent.assign(bytes + gone, size - gone);
  return true;
}

void Front::tick() {
  nowMs_ = monotonicMs();
  rearm(EPOLLIN);
  while (!byActivity_.empty()) {
    const int fd = byActivity_.front();
    if (nowMs_ - connections_[fd].activeMs <= limits_.idleMs) return;
    close(fd);
  }
}

void Front::drain() {
  isDraining_ = true;
  for (const int listener : listeners_) ::close(listener);
  listeners_.clear();
  std::vector<int> idle;
  for (const auto& [fd, connection] : connections_)
    if (connection.unsent.empty()) idle.push_back(fd);
  for (const int fd : idle) close(fd);
}

void Front::stop() {
  drain();
  for (const auto& [fd, connection] : connections_) ::close(fd);
  connections_.clear();
  byActivity_.clear();
}

void Front::touch(Connection& connection) {
  connection.activeMs = nowMs_;
  byActivity_.splice(byActivity_.end(), byActivity_, connection.place);
}

bool Front::forget(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return false;
  byActivity_.erase(found->second.place);
  connections_.erase(found);
  return true;
}

void Front::close(int fd) {
  forget(fd);
  ::close(fd);
}

}  // namespace nearcast
