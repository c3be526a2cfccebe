#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace nearcast {
namespace {

constexpr uint64_t listenerTag = uint64_t{1} << 62;
constexpr uint64_t wakeTag = uint64_t{1} << 61;
constexpr unsigned slotBits = 20;  // ids stay exact in a JavaScript number
constexpr int eventsMax = 256;
constexpr int roundsMax = 16;  // then Node's loop has its turn, or earlier
constexpr uint64_t pollNsMax = 5'000'000;
// So many records are taken at once: few enough that they are still in the processor's cache, and nobody waits for long.
constexpr size_t recordsAtOnce = 1024;
constexpr int acceptsMax = 64;
constexpr size_t parkedMax = 4096;
constexpr uint32_t surplusMax = 256;  // connections above the cap that are told so; more are closed unheard

}  // namespace

std::string addressText(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, address.data(), text, sizeof text);
  const std::string_view whole(text);
  return std::string(whole.starts_with("::ffff:") && whole.find('.') != whole.npos ? whole.substr(7) : whole);
}

bool parseAddress(const std::string& text, Address& address) {
  const bool isIpv6 = text.find(':') != text.npos;
  return inet_pton(AF_INET6, (isIpv6 ? text : "::ffff:" + text).c_str(), address.data()) == 1;
}

bool parsePrefix(const std::string& text, Prefix& prefix) {
  const size_t slash = text.find('/');
  if (slash == text.npos || !parseAddress(text.substr(0, slash), prefix.address)) return false;
  const int bits = atoi(text.c_str() + slash + 1) + (text.find(':') == text.npos ? 96 : 0);
  prefix.lengthBits = static_cast<uint8_t>(bits);
  return bits >= 0 && bits <= 128;
}

Server::Server(ServerOptions options, Script& script)
    : script_(script),
      options_(std::move(options)),
      shared_(options_.settings, options_.filesMax, options_.grantsMax, options_.recordsMax, options_.counters),
      caps_(options_.capsFd, options_.workers, options_.worker),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeFd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      reserveFd_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  if (epoll_ < 0 || wakeFd_ < 0) throw std::runtime_error(strerror(errno));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = wakeTag}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeFd_, &event);
  shared_.probe = bestProbe();
  refreshTime();
}

Server::~Server() {
  stopListening();
  for (Slot& slot : slots_) {
    if (!slot.connection) continue;
    slot.connection->cut();
    close(slot.connection->fd);
    slot.connection.reset();
  }
  // Threads that hang in a dead disk keep nobody from ending; what they read from is theirs until they are back.
  for (auto& [disk, each] : disks_) DiskReaders::abandon(std::move(each));
  for (HandOver& each : handOvers_)
    if (!each.isStream) close(each.fd);
  close(reserveFd_);
  close(wakeFd_);
  close(epoll_);
}

// --- the loop -------------------------------------------------------------------------------------

void Server::refreshTime() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t unixMs = static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  if (unixMs / 1000 != unixMs_ / 1000) {
    tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    strftime(date_, sizeof date_, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  }
  unixMs_ = unixMs;
}

uint64_t Server::nowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void Server::poll() {
  epoll_event events[eventsMax];
  const uint64_t endNs = nowNs() + pollNsMax;
  int round = 0;
  for (int count = 0; round < roundsMax && (round == 0 || nowNs() < endNs); round++) {
    count = epoll_wait(epoll_, events, eventsMax, 0);
    if (count <= 0 && queue_.empty()) break;
    refreshTime();
    isBusy_ = true;
    for (int i = 0; i < count; i++) onEvent(events[i]);
    runQueued();
    isBusy_ = false;
    settle();
  }
}

void Server::onEvent(const epoll_event& event) {
  const uint64_t tag = event.data.u64;
  if (tag == wakeTag) {
    uint64_t count;
    (void)!read(wakeFd_, &count, sizeof count);
    takeReads();
  } else if (tag & listenerTag) {
    accept(static_cast<int>(tag & ~listenerTag));
  } else if (Connection* connection = find(tag)) {
    const uint32_t is = event.events;
    connection->onEvent(is & (EPOLLIN | EPOLLRDHUP), is & EPOLLOUT, is & (EPOLLERR | EPOLLHUP), is & EPOLLRDHUP);
  }
}

void Server::runQueued() {
  const std::vector<uint64_t> queue = std::exchange(queue_, {});
  for (const uint64_t id : queue) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->isQueued = false;
    connection->run();
  }
}

void Server::runLater(Connection& connection) {
  if (connection.isQueued) return;
  connection.isQueued = true;
  queue_.push_back(connection.id);
}

void Server::wake() {
  const uint64_t one = 1;
  (void)!write(wakeFd_, &one, sizeof one);
}

void Server::settle() {
  if (isBusy_) return;
  deliver();
  for (const uint64_t id : std::exchange(dead_, {})) free(id);
  shared_.counters.set(Counter::liveRequests, static_cast<double>(shared_.live));
  const bool areWaiting = shared_.records.size() >= std::min(options_.recordsMax / 2, recordsAtOnce);
  if (areWaiting && !recordsTold_ && options_.recordsMax > 0) script_.recordsWaiting();
  recordsTold_ = areWaiting;
  if (!queue_.empty()) wake();
}

// JavaScript is called here only (and for the data of streams), so that it never finds a connection half way.
void Server::deliver() {
  for (const uint64_t id : std::exchange(parked_, {})) {
    Request request;
    Connection* connection = find(id);
    if (connection != nullptr && connection->parkedFor(request))
      script_.park(id, request, addressText(connection->client()));
  }
  for (HandOver& each : std::exchange(handOvers_, {})) {
    Connection* connection = find(each.id);
    if (!each.isStream)
      script_.handOver(each.fd, each.bytes, each.id);
    else if (connection != nullptr)
      script_.beginStream(each.id, each.bytes, *connection, addressText(connection->client()));
  }
}

void Server::tick() {
  refreshTime();
  for (const int listener : listeners_) watch(listener, EPOLLIN);
  const uint64_t now = nowNs();
  isBusy_ = true;
  for (size_t at = 0; at < slots_.size(); at++)
    if (slots_[at].connection) slots_[at].connection->onTick(now);
  isBusy_ = false;
  uint64_t waitNs = 0;
  for (const auto& [disk, each] : disks_) waitNs = std::max(waitNs, each->oldestWaitNs(now));
  shared_.counters.set(Counter::diskWaitUsMax, static_cast<double>(waitNs / 1000));
  shared_.counters.set(Counter::openFiles, static_cast<double>(shared_.files.size()));
  shared_.counters.set(Counter::grants, static_cast<double>(shared_.grants.size()));
  settle();
}

// --- connections ----------------------------------------------------------------------------------

bool Server::listen(int fd) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return false;
  fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = listenerTag | static_cast<uint64_t>(own)}};
  listeners_.push_back(own);
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, own, &event) == 0;
}

void Server::stopListening() {
  for (const int fd : listeners_) close(fd);
  listeners_.clear();
}

void Server::accept(int listener) {
  if (std::ranges::find(listeners_, listener) == listeners_.end()) return;
  for (int i = 0; i < acceptsMax; i++) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) outOfDescriptors(listener);
      return;
    }
    Address client{};
    uint16_t port = 0;
    if (peer.ss_family == AF_INET6) {
      const auto& from = reinterpret_cast<sockaddr_in6&>(peer);
      memcpy(client.data(), &from.sin6_addr, 16);
      port = ntohs(from.sin6_port);
    } else {
      const auto& from = reinterpret_cast<sockaddr_in&>(peer);
      client[10] = client[11] = 0xff;
      memcpy(client.data() + 12, &from.sin_addr, 4);
      port = ntohs(from.sin_port);
    }
    admit(fd, client, port);
  }
}

// The one descriptor in reserve lets a client be turned away at once, who else would wait in the queue for nothing.
void Server::outOfDescriptors(int listener) {
  shared_.counters.add(Counter::acceptErrors);
  close(reserveFd_);
  const int fd = ::accept(listener, nullptr, nullptr);
  if (fd >= 0)
    close(fd);
  else
    watch(listener, 0);  // until the next tick: to be told again and again helps nobody
  reserveFd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void Server::watch(int listener, uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = listenerTag | static_cast<uint64_t>(listener)}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, listener, &event);
}

void Server::admit(int fd, const Address& client, uint16_t port) {
  const uint32_t capSlot = Caps::slotOf(client);
  const uint32_t total = caps_.total();
  const bool isOver = total >= options_.connectionsMax;
  const uint32_t ofOneMax = options_.connectionsPerAddressMax;
  const uint32_t ofOne = ofOneMax > 0 ? caps_.at(capSlot) : 0;
  const bool isOverOne = ofOneMax > 0 && ofOne >= ofOneMax;
  if (isOver || isOverOne) shared_.counters.add(isOver ? Counter::refusedTotal : Counter::refusedPerAddress);
  const bool hasSlot = !freeSlots_.empty() || slots_.size() < size_t{1} << slotBits;
  const bool isUnheard = total >= options_.connectionsMax + surplusMax || (isOverOne && ofOne >= ofOneMax * 2 + 16);
  std::unique_ptr<TlsSession> tls = tls_ && !isUnheard ? TlsSession::make(tls_) : nullptr;
  if (isUnheard || !hasSlot || (tls_ && !tls)) {
    close(fd);
    return;
  }
  if (freeSlots_.empty()) {
    freeSlots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t at = freeSlots_.back();
  Slot& slot = slots_[at];
  slot.connection = std::make_unique<Connection>(*this, shared_, client, std::move(tls));
  Connection& connection = *slot.connection;
  connection.fd = fd;
  connection.port = port;
  connection.capSlot = capSlot;
  connection.isSurplus = isOver || isOverOne;
  connection.id = uint64_t{slot.generation} << slotBits | at;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = connection.id}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    close(fd);
    slot.connection.reset();
    return;
  }
  freeSlots_.pop_back();
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const uint64_t pace = options_.paceBytesPerSecond;
  if (pace > 0) setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof pace);
  caps_.add(capSlot, 1);
  shared_.counters.add(Counter::accepted);
  shared_.counters.add(Counter::connections);
  if (connection.isTls()) shared_.counters.add(Counter::connectionsTls);
}

Connection* Server::find(uint64_t id) {
  const size_t at = id & ((uint64_t{1} << slotBits) - 1);
  if (at >= slots_.size() || slots_[at].generation != id >> slotBits) return nullptr;
  return slots_[at].connection.get();
}

// Frees a connection that is over, unless a thread still reads for it; then that read's return does.
void Server::free(uint64_t id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  if (connection->fd >= 0) {
    if (connection->isStream()) script_.streamClosed(id);
    close(connection->fd);
    connection->fd = -1;
    caps_.add(connection->capSlot, -1);
    shared_.counters.add(Counter::connections, -1);
    if (connection->isTls()) shared_.counters.add(Counter::connectionsTls, -1);
  }
  const auto read = reads_.find(id);
  if (read != reads_.end()) {
    if (readers(read->second->disk)->cancel(id) == 0) return;
    shared_.files.release(read->second);
    reads_.erase(read);
  }
  const size_t at = id & ((uint64_t{1} << slotBits) - 1);
  slots_[at].connection.reset();
  slots_[at].generation++;
  freeSlots_.push_back(static_cast<uint32_t>(at));
}

void Server::closeIdle() {
  for (size_t at = 0; at < slots_.size(); at++)
    if (slots_[at].connection) slots_[at].connection->finish();
  settle();
}

void Server::decide(uint64_t id, bool again) {
  refreshTime();
  if (Connection* connection = find(id)) connection->decided(again);
}

bool Server::park(Connection& connection) {
  if (parked_.size() >= parkedMax) return false;
  parked_.push_back(connection.id);
  return true;
}

void Server::handOver(Connection& connection, std::string_view bytes) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.fd, nullptr);
  handOvers_.push_back({connection.fd, std::string(bytes), connection.id, false});
  handed_.emplace(connection.id, connection.capSlot);
  shared_.counters.add(Counter::handedConnections);
  shared_.counters.add(Counter::connections, -1);
  connection.fd = -1;
  dead_.push_back(connection.id);
}

void Server::handedClosed(uint64_t id) {
  const auto found = handed_.find(id);
  if (found == handed_.end()) return;
  caps_.add(found->second, -1);
  shared_.counters.add(Counter::handedConnections, -1);
  handed_.erase(found);
}

void Server::beginStream(Connection& connection, std::string_view bytes) {
  handOvers_.push_back({-1, std::string(bytes), connection.id, true});
}

}  // namespace nearcast
