#include "loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <tuple>
#include <utility>

namespace nearcast {
namespace {

constexpr uint64_t listenerTag = uint64_t{1} << 62;
constexpr uint64_t wakeTag = uint64_t{1} << 61;
constexpr int listenBacklog = 4096;
constexpr int eventsMax = 256;
constexpr int roundsMax = 16;  // then Node's loop has its turn, or earlier
constexpr uint64_t pollNsMax = 5'000'000;
// So many records are taken at once: few enough that they are still in the processor's cache, and nobody waits for long.
constexpr size_t recordsAtOnce = 1024;
constexpr int acceptsMax = 64;
constexpr size_t parkedMax = 4096;
constexpr uint32_t surplusMax = 256;  // connections above the cap that are told so; more are closed unheard

Descriptor openReserve() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

std::string textOf(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, address.data(), text, sizeof text);
  const std::string_view whole(text);
  return std::string(whole.starts_with("::ffff:") && whole.find('.') != whole.npos ? whole.substr(7) : whole);
}

}  // namespace

// An address of a socket, and its port.
struct Peer {
  explicit Peer(const sockaddr_storage& from) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    port = ntohs(v4.sin_port);  // which stands in the same place in both
    if (from.ss_family == AF_INET6)
      memcpy(address.data(), &v6.sin6_addr, 16);
    else
      memcpy(address.data() + 12, &v4.sin_addr, 4);
  }
  Address address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  uint16_t port = 0;
};

Server::Server(Settings settings, Script& script)
    : script_(script),
      shared_(std::move(settings)),
      caps_(shared_.settings.connectionCounts, shared_.settings.worker),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC))),
      wakeFd_(std::make_shared<Descriptor>(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)))),
      reserveFd_(openReserve()) {
  watch(EPOLL_CTL_ADD, wakeFd_->get(), wakeTag, EPOLLIN);
  shared_.probe = bestProbe();
  refreshTime();
}

Server::~Server() {
  for (auto& [id, connection] : connections_) connection.cut();
  // Threads that hang in a dead disk keep nobody from ending; what they read from is theirs until they are back.
  for (auto& [disk, each] : disks_) each->stop();
}

// --- the loop -------------------------------------------------------------------------------------

void Server::refreshTime() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const uint64_t unixMs = static_cast<uint64_t>(now / std::chrono::milliseconds(1));
  const time_t seconds = static_cast<time_t>(unixMs / 1000);
  if (seconds == static_cast<time_t>(std::exchange(shared_.unixMs, unixMs) / 1000)) return;
  tm utc{};
  gmtime_r(&seconds, &utc);
  strftime(shared_.date, sizeof shared_.date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}

void Server::poll() {
  epoll_event events[eventsMax];
  const uint64_t endNs = nowNs() + pollNsMax;
  for (int round = 0; round < roundsMax && (round == 0 || nowNs() < endNs); round++) {
    const int count = epoll_wait(epoll_.get(), events, eventsMax, 0);
    if (count <= 0 && shared_.queue.empty()) break;
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
    eventfd_t count;
    eventfd_read(wakeFd_->get(), &count);
    takeReads();
  } else if (tag & listenerTag) {
    accept(static_cast<int>(tag & ~listenerTag));
  } else if (Connection* connection = find(tag)) {
    const uint32_t is = event.events;
    connection->onEvent(is & (EPOLLIN | EPOLLRDHUP), is & EPOLLOUT, is & (EPOLLERR | EPOLLHUP), is & EPOLLRDHUP);
  }
}

void Server::runQueued() {
  for (const uint64_t id : std::exchange(shared_.queue, {})) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->isQueued = false;
    connection->run();
  }
}

void Server::settle() {
  if (isBusy_) return;
  deliver();
  for (const uint64_t id : std::exchange(shared_.over, {})) free(id);
  Counters& counters = shared_.counters;
  counters.set(Counter::connections, connections_.size() - handed_);
  counters.set(Counter::handedConnections, handed_);
  counters.set(Counter::recordsDropped, shared_.records.dropped());
  const uint64_t most = std::min(shared_.settings.recordsMax / 2, recordsAtOnce);
  if (most > 0 && shared_.records.size() >= most) script_.tell("recordsWaiting");
  if (!shared_.queue.empty()) wake();
}

// JavaScript is called here only (and for the data of streams), so that it never finds a connection half way.
void Server::deliver() {
  for (const uint64_t id : std::exchange(parked_, {})) {
    Request request;
    Connection* connection = find(id);
    if (connection != nullptr && connection->parkedFor(request))
      script_.tell("park", std::tuple(id, request.token, request.file, request.ext, textOf(connection->client())));
  }
  for (HandOver& each : std::exchange(handOvers_, {})) {
    Connection* stream = find(each.id);
    if (each.fd) {
      if (script_.tell("handOver", each.fd.get(), each.id, Bytes{each.bytes})) each.fd.release();
    } else if (stream != nullptr) {
      const TlsSession& session = *stream->tls();
      const std::tuple peer(each.id, textOf(stream->client()), stream->port, session.version, session.isH2);
      script_.tell("handOverStream", peer, Bytes{each.bytes});
    }
  }
}

void Server::tick() {
  refreshTime();
  for (const Descriptor& each : listeners_) watch(EPOLL_CTL_MOD, each.get(), listenerTag | each.get(), EPOLLIN);
  const uint64_t now = nowNs();
  isBusy_ = true;
  for (auto& [id, connection] : connections_) connection.onTick(now);
  isBusy_ = false;
  uint64_t waitNs = 0;
  for (const auto& [disk, each] : disks_) waitNs = std::max(waitNs, each->oldestWaitNs(now));
  shared_.counters.set(Counter::diskWaitUsMax, waitNs / 1000);
  shared_.counters.set(Counter::openFiles, shared_.files.size());
  shared_.counters.set(Counter::grants, shared_.grants.size());
  settle();
}

// --- connections ----------------------------------------------------------------------------------

int Server::watch(int operation, int fd, uint64_t tag, uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  return epoll_ctl(epoll_.get(), operation, fd, &event);
}

std::tuple<std::string, uint16_t> Server::listen(int fd) {
  Descriptor own(checked(fcntl(fd, F_DUPFD_CLOEXEC, 0)));
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  checked(getsockname(own.get(), reinterpret_cast<sockaddr*>(&bound), &size));
  checked(fcntl(own.get(), F_SETFL, checked(fcntl(own.get(), F_GETFL)) | O_NONBLOCK));
  checked(::listen(own.get(), listenBacklog));
  checked(watch(EPOLL_CTL_ADD, own.get(), listenerTag | own.get(), EPOLLIN));
  listeners_.push_back(std::move(own));
  const Peer at(bound);
  return {textOf(at.address), at.port};
}

void Server::accept(int listener) {
  if (std::ranges::find(listeners_, listener, &Descriptor::get) == listeners_.end()) return;
  for (int i = 0; i < acceptsMax; i++) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    Descriptor fd(accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) outOfDescriptors(listener);
      return;
    }
    admit(std::move(fd), Peer(from));
  }
}

// The one descriptor in reserve lets a client be turned away at once, who else would wait in the queue for nothing.
void Server::outOfDescriptors(int listener) {
  shared_.counters.add(Counter::acceptErrors);
  reserveFd_ = Descriptor();
  // Where there is nobody: until the next tick. To be told again and again helps nobody.
  if (!Descriptor(::accept(listener, nullptr, nullptr))) watch(EPOLL_CTL_MOD, listener, listenerTag | listener, 0);
  reserveFd_ = openReserve();
}

void Server::admit(Descriptor fd, const Peer& client) {
  const Settings& settings = shared_.settings;
  const uint32_t capSlot = Caps::slotOf(client.address);
  const uint64_t total = caps_.total();
  const bool isOver = total >= settings.connectionsMax;
  const uint64_t ofOneMax = settings.connectionsPerAddressMax;
  const uint64_t ofOne = ofOneMax > 0 ? caps_.at(capSlot) : 0;
  const bool isOverOne = ofOneMax > 0 && ofOne >= ofOneMax;
  if (isOver || isOverOne) shared_.counters.add(isOver ? Counter::refusedTotal : Counter::refusedPerAddress);
  if (total >= settings.connectionsMax + surplusMax || (isOverOne && ofOne >= ofOneMax * 2 + 16)) return;
  std::unique_ptr<TlsSession> session = tls ? TlsSession::make(tls) : nullptr;
  if (tls && !session) return;
  const uint64_t id = ++lastId_;
  if (watch(EPOLL_CTL_ADD, fd.get(), id, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) != 0) return;
  const int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const uint64_t pace = settings.paceBytesPerSecond;
  if (pace > 0) setsockopt(fd.get(), SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof pace);
  connections_.try_emplace(id, *this, shared_, client.address, std::move(session));
  Connection& connection = *find(id);
  connection.fd = std::move(fd);
  connection.id = id;
  connection.port = client.port;
  connection.capSlot = capSlot;
  connection.isSurplus = isOver || isOverOne;
  caps_.add(capSlot, 1);
  shared_.counters.add(Counter::accepted);
  if (connection.tls() != nullptr) shared_.counters.add(Counter::connectionsTls);
}

Connection* Server::find(uint64_t id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

// Nothing is sent on a socket of which the rest was never read: the client sees a reset, and that it was cut.
void Server::free(uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Connection& connection = found->second;
  const bool isStream = connection.isStream;
  if (connection.reads != nullptr) connection.reads->cancel(id);
  caps_.add(connection.capSlot, -1);
  if (connection.tls() != nullptr) shared_.counters.add(Counter::connectionsTls, -1);
  connections_.erase(found);
  if (isStream) script_.tell("streamClosed", id);
}

void Server::closeIdle() {
  for (auto& [id, connection] : connections_) connection.finish();
  settle();
}

void Server::decide(uint64_t id, bool again) {
  refreshTime();
  if (Connection* connection = find(id)) connection->decided(again);
  settle();
}

bool Server::park(Connection& connection) {
  if (parked_.size() >= parkedMax) return false;
  parked_.push_back(connection.id);
  return true;
}

void Server::handOver(Connection& connection, std::string_view bytes) {
  connection.isStream = connection.tls() != nullptr;
  if (!connection.isStream) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.fd.get(), nullptr);
    handed_++;
  }
  Descriptor socket = connection.isStream ? Descriptor() : std::move(connection.fd);
  handOvers_.push_back({std::move(socket), std::string(bytes), connection.id});
}

void Server::handedClosed(uint64_t id) {
  if (find(id) != nullptr) handed_--;
  free(id);
  settle();
}

}  // namespace nearcast
