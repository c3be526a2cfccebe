// A UDP socket that is read and written in batches. Types and meaning are those of ../native-addon.ts.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nearcast {

// Binds a socket whose reads wait at most waitMs. Returns it, or a negative errno.
int bindSocket(const char* host, uint16_t port, int waitMs);
// The port that a socket has been given, or a negative errno.
int portOf(int fd);

// Where JavaScript has the packets and replies of a batch: `count` slots of each.
struct Slots {
  size_t count;
  uint8_t* packets;
  size_t packetBytes;
  uint8_t* replies;
  size_t replyBytes;
  int32_t* packetLengths;
  int32_t* replyLengths;
  // Of each packet's sender the family (4, 6; 0: it cannot be answered) and, from the fourth byte on, the address.
  uint8_t* senders;
};
inline constexpr size_t senderBytes = 20;
// Writes who a peer is, as above.
void describePeer(const sockaddr_in6& peer, uint8_t* sender);

class Datagrams {
 public:
  Datagrams(int fd, const Slots& slots);
  // Sends the replies to the packets of the last batch, then waits for the next. Returns how many came: 0 when the wait is
  // over, or a negative errno.
  int exchange();

 private:
  void send();
  // The kernel writes over what is told of the room in a slot.
  void makeRoom(size_t slot);
  void describe(size_t slot, size_t bytes);

  // Room for what tells to which of our addresses a packet came (in6_pktinfo is the larger).
  static constexpr size_t controlBytes = CMSG_SPACE(sizeof(in6_pktinfo));
  struct Control {
    alignas(cmsghdr) uint8_t bytes[controlBytes];
  };
  void answerFrom(msghdr& message);

  int fd_;
  Slots slots_;
  size_t received_ = 0;
  std::vector<sockaddr_in6> peers_;
  std::vector<Control> controls_;
  std::vector<iovec> in_, out_;
  std::vector<mmsghdr> incoming_, outgoing_;
};

}  // namespace nearcast
