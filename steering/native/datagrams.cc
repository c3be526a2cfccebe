#include "datagrams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace nearcast {
namespace {

// What a burst may queue while a batch is answered; the kernel takes less where it must.
constexpr int bufferBytes = 4 << 20;

bool isWildcard(const sockaddr* address) {
  if (address->sa_family == AF_INET) return reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr == INADDR_ANY;
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

bool set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value) == 0; }

// Options that a socket must have: a bound of each wait, and, where it answers for several addresses, which one was asked.
bool prepare(int fd, const sockaddr* address, int waitMs) {
  const timeval wait{waitMs / 1000, waitMs % 1000 * 1000};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0) return false;
  set(fd, SOL_SOCKET, SO_RCVBUF, bufferBytes);
  set(fd, SOL_SOCKET, SO_SNDBUF, bufferBytes);
  const bool isV6 = address->sa_family == AF_INET6;
  // RFC 9715: replies are never in fragments. That they have room everywhere is the responder's part.
  set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  // `::` takes IPv4 too, as Node's sockets do.
  if (isV6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) return false;
  if (!isWildcard(address)) return true;
  return isV6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

}  // namespace

int bindSocket(const char* host, uint16_t port, int waitMs) {
  char service[8];
  snprintf(service, sizeof service, "%u", port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host, service, &hints, &found) != 0) return -EINVAL;
  int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool isBound = fd >= 0 && prepare(fd, found->ai_addr, waitMs) && bind(fd, found->ai_addr, found->ai_addrlen) == 0;
  const int error = errno;
  freeaddrinfo(found);
  if (isBound) return fd;
  if (fd >= 0) close(fd);
  return -error;
}

int portOf(int fd) {
  sockaddr_in6 address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return -errno;
  return ntohs(address.sin6_port);  // at the same place for IPv4
}

void describePeer(const sockaddr_in6& peer, uint8_t* sender) {
  sender[0] = 0;
  // RFC 768: source port 0 asks for no reply.
  if (peer.sin6_port == 0) return;
  if (peer.sin6_family == AF_INET) {
    sender[0] = 4;
    memcpy(sender + 4, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, 4);
  } else if (IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr)) {
    sender[0] = 4;
    memcpy(sender + 4, peer.sin6_addr.s6_addr + 12, 4);
  } else if (peer.sin6_family == AF_INET6) {
    sender[0] = 6;
    memcpy(sender + 4, &peer.sin6_addr, 16);
  }
}

Datagrams::Datagrams(int fd, const Slots& slots)
    : fd_(fd),
      slots_(slots),
      peers_(slots.count),
      controls_(slots.count),
      in_(slots.count),
      out_(slots.count),
      incoming_(slots.count),
      outgoing_(slots.count) {
  for (size_t slot = 0; slot < slots.count; slot++) {
    in_[slot] = {slots.packets + slot * slots.packetBytes, slots.packetBytes};
    makeRoom(slot);
  }
}

void Datagrams::makeRoom(size_t slot) {
  incoming_[slot].msg_hdr = {&peers_[slot], sizeof peers_[slot], &in_[slot], 1, controls_[slot].bytes, controlBytes, 0};
}

int Datagrams::exchange() {
  send();
  for (size_t slot = 0; slot < received_; slot++) makeRoom(slot);
  received_ = 0;
  // Waits for the first, and takes of the others those that are there.
  const int count = recvmmsg(fd_, incoming_.data(), slots_.count, MSG_WAITFORONE, nullptr);
  if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  received_ = count;
  for (size_t slot = 0; slot < received_; slot++) describe(slot, incoming_[slot].msg_len);
  return count;
}

void Datagrams::describe(size_t slot, size_t bytes) {
  slots_.packetLengths[slot] = static_cast<int32_t>(bytes);
  slots_.replyLengths[slot] = 0;
  describePeer(peers_[slot], slots_.senders + slot * senderBytes);
}

// A reply leaves from the address that was asked: what came in with the packet goes out with it, but for the interface,
// which is routing's choice where the address does not belong to one link.
void Datagrams::answerFrom(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO)
      reinterpret_cast<in_pktinfo*>(CMSG_DATA(part))->ipi_ifindex = 0;
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      auto* info = reinterpret_cast<in6_pktinfo*>(CMSG_DATA(part));
      if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
    }
  }
}

void Datagrams::send() {
  size_t count = 0;
  for (size_t slot = 0; slot < received_; slot++) {
    const int32_t bytes = slots_.replyLengths[slot];
    if (bytes <= 0 || static_cast<size_t>(bytes) > slots_.replyBytes) continue;
    msghdr& message = outgoing_[count].msg_hdr;
    message = incoming_[slot].msg_hdr;
    out_[count] = {slots_.replies + slot * slots_.replyBytes, static_cast<size_t>(bytes)};
    message.msg_iov = &out_[count];
    message.msg_flags = 0;
    if (message.msg_controllen > 0) answerFrom(message);
    count++;
  }
  // A reply that cannot be sent is lost, as any datagram may be: the asker asks again.
  if (count == 1 && outgoing_[0].msg_hdr.msg_controllen == 0) {
    const msghdr& only = outgoing_[0].msg_hdr;
    sendto(fd_, out_[0].iov_base, out_[0].iov_len, MSG_DONTWAIT, static_cast<const sockaddr*>(only.msg_name), only.msg_namelen);
    return;
  }
  for (size_t sent = 0; sent < count;) {
    const int now = sendmmsg(fd_, &outgoing_[sent], count - sent, MSG_DONTWAIT);
    sent += now > 0 ? now : 1;
  }
}

}  // namespace nearcast
