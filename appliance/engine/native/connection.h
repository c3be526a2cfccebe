// The machine of one connection: reads heads, answers what it may, and hands over all else. It sees sockets, disks and
// JavaScript only through Host, so that it is built and fuzzed without them.
#pragma once


#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "counters.h"
#include "files.h"
#include "grants.h"
#include "tls.h"

namespace nearcast {

class Connection;

// Numbers that JavaScript sets, by these names; ../native-addon.ts has their meaning.
#define NEARCAST_NUMBERS(each)    \
  each(headersTimeoutMs)          \
  each(keepAliveTimeoutMs)        \
  each(idleTimeoutMs)             \
  each(minBytesPerSecond)         \
  each(paceBytesPerSecond)        \
  each(turnBytes)                 \
  each(requestsMax)               \
  each(connectionsMax)            \
  each(connectionsPerAddressMax)  \
  each(filesMax)                  \
  each(grantsMax)                 \
  each(recordsMax)                \
  each(readThreadsPerDisk)        \
  each(readMemoryBytes)           \
  each(worker)

struct Settings {
#define NEARCAST_NUMBER(name) uint64_t name = 0;
  NEARCAST_NUMBERS(NEARCAST_NUMBER)
#undef NEARCAST_NUMBER
  std::span<uint32_t> connectionCounts;
  double* counters = nullptr;
  std::vector<std::string> refusals;  // whole answers, made by JavaScript, by `Refusal`; each ends its connection
  // The last header lines of a body's answer, around its delay in milliseconds, which stands in them twice.
  std::vector<std::string> timing;
};

// In the order of their counters, from `timeoutHeaders` on.
enum class Refusal : uint8_t { timeout, overloaded, draining };
enum class Admission : uint8_t { all, known, nobody };

// What all connections of a loop share. Everything in it is used by the loop's thread alone.
struct Shared {
  explicit Shared(Settings settings);

  const Settings settings;
  OpenFiles files;
  Grants grants;
  RecordRing records;
  Counters counters;
  Probe probe = Probe::none;
  Admission admission = Admission::all;
  bool isDraining = false;  // why it is not `all`, for the answer
  bool shedsFill = false;
  uint64_t unixMs = 0;
  char date[30] = {};  // of RFC 9110 §5.6.7, as of this second
  std::string addressKey;  // of the pseudonyms of addresses
  uint32_t addressKeys = 0;  // how often it has changed
  std::vector<uint64_t> queue;  // connections that run again after the others had their turn
  std::vector<uint64_t> over;   // and those to be closed and freed
  std::unique_ptr<char[]> input;  // what one receive may bring
  std::unique_ptr<char[]> plain;  // a batch of plaintext before it is encrypted
  std::string cipher;             // and after
  std::string decrypted;
};
// Empties it, its memory too: most connections are idle.
inline void drop(std::string& text) { std::string().swap(text); }

inline constexpr size_t inputBytes = 64 << 10;
inline constexpr size_t batchBytesMax = 512 << 10;

// The world of a connection. Results of input and output: bytes, 0 for the end, or a negative errno.
class Host {
 public:
  virtual ~Host() = default;
  virtual ssize_t receive(Connection& connection, char* into, size_t room) = 0;
  virtual ssize_t send(Connection& connection, std::string_view bytes, bool more) = 0;
  virtual ssize_t sendFile(Connection& connection, int fd, uint64_t offset, size_t bytes) = 0;
  // Reads what is in memory already; -EAGAIN where a disk would have to be waited for.
  virtual ssize_t readNow(int fd, char* into, size_t bytes, uint64_t offset) = 0;
  virtual void cork(Connection& connection, bool on) = 0;
  virtual void shutdownWrite(Connection& connection) = 0;

  // Ends in `onRead`; false where no more can wait.
  virtual bool readCold(Connection& connection, uint32_t disk, ReadJob job) = 0;
  // JavaScript is asked after this turn, and ends it by `decided`; false where no more can wait.
  virtual bool park(Connection& connection) = 0;
  // JavaScript goes on: with the socket and these bytes, and the connection is over; or by TLS with a stream.
  virtual void handOver(Connection& connection, std::string_view bytes) = 0;
  virtual void streamData(Connection& connection, std::string_view bytes) = 0;  // none at its end
  virtual void streamDrained(Connection& connection, bool isBroken) = 0;
  virtual void fileFailed(const OpenFile& file, int error) = 0;
  virtual uint64_t nowNs() = 0;  // CLOCK_MONOTONIC
};

class Connection {
 public:
  enum class State : uint8_t { reading, parked, sending, disk, stream, lingering, over };

  Connection(Host& host, Shared& shared, const Address& client, std::unique_ptr<TlsSession> tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Something may be read, written, or both; goes as far as it can.
  // `isEnd`: the client has closed its side, behind what it has sent.
  void onEvent(bool canRead, bool canWrite, bool isGone, bool isEnd = false);
  void run();
  void decided(bool again);
  // What it is parked for; false where it no longer is.
  bool parkedFor(Request& request) const;
  void onRead(ReadJob job);
  // Timeouts, asked about once a second.
  void onTick(uint64_t nowNs);
  // Ends it as soon as nothing is in flight.
  void finish();
  void cut() { end(); }

  void streamWrite(std::string_view bytes);
  void streamFlow(bool flowing);
  void streamEnd();

  State state() const { return state_; }
  const TlsSession* tls() const { return tls_.get(); }
  const Address& client() const { return client_; }

  // The host's own: which socket this is, where it is counted, and who reads for it.
  Descriptor fd;
  uint32_t capSlot = 0;
  uint64_t id = 0;
  DiskReaders* reads = nullptr;
  uint16_t port = 0;
  bool isQueued = false;
  bool isStream = false;   // JavaScript has been given it
  bool isSurplus = false;  // above a cap: it is only told so

 private:
  struct Answer : Outcome {
    std::shared_ptr<OpenFile> file;
    uint64_t at = 0;   // next byte of the file to go
    uint64_t end = 0;  // past the last one
    uint64_t startedNs = 0;
    uint64_t ttfbNs = 0;
    bool close = false;
    bool headSent = false;
  };
  enum class Step : uint8_t { again, wait };

  Step step();
  Step readHead();
  ssize_t receive(std::string_view& bytes);
  Step parse(std::string_view bytes);
  Step begin(const Request& request, std::string_view bytes);
  std::optional<Refusal> refusalOf(const Request& request) const;
  std::optional<Reason> plan(const Request& request, const OpenFile& file);
  Step park(const Request& request, std::string_view bytes);
  Step handOver(std::string_view bytes, Reason reason);
  Step refuse(Refusal why, bool isHead);
  void keep(std::string_view bytes);
  void keepCmcd(const Request& request);

  size_t writeHead(char* out);
  Step send();
  Step sendPlain();
  Step sendEncrypted();
  Step push(std::string_view bytes, uint64_t ofFile, bool more);
  Step pushOut();
  Step untaken(ssize_t error);
  Step askDisk();
  void moved(uint64_t ofFile);
  void took(uint64_t cold);
  void dropCold();
  Step complete();
  void leave(bool isCut);
  Step fail(int error);
  Step gone();
  Step linger();
  Step runLinger();
  Step runStream();
  Step end();
  Step later();
  // So much of its turn is over.
  void charge(uint64_t bytes) { turnLeft_ -= std::min<uint64_t>(turnLeft_, bytes); }

  Host& host_;
  Shared& shared_;
  std::unique_ptr<TlsSession> tls_;
  Address client_;
  State state_ = State::reading;
  bool canRead_ = true;
  bool canWrite_ = true;
  bool endComes_ = false;
  bool isCorked_ = false;
  bool finishing_ = false;
  bool isDecided_ = false;  // JavaScript has decided about the request at the start of input_
  bool isKnown_ = false;    // has sent a whole request before
  bool isNotified_ = false;  // of the end, as TLS wants it
  bool isShut_ = false;
  bool flowing_ = false;  // JavaScript asks for the first bytes of a stream too: before that it does not know of it
  bool streamEnding_ = false;
  bool streamWaits_ = false;  // JavaScript waits for `streamDrained`
  bool inputEnded_ = false;
  bool endTold_ = false;
  size_t scanned_ = 0;  // of input_: looked at, and not a whole head
  std::string input_;   // received and not yet answered
  std::string output_;  // made and not yet taken by the kernel
  size_t outputAt_ = 0;
  uint64_t outputBody_ = 0;  // bytes of the file in output_
  size_t batch_ = 64 << 10;  // how much is encrypted at once: as much as the client was seen to take
  std::shared_ptr<char> lent_;  // by the disk's readers
  std::string_view cold_;       // what of it has not gone yet
  uint64_t lentNs_ = 0;         // since when
  uint32_t coldBytes_ = readBytesMax;  // how much is asked for at once
  size_t turnLeft_ = 0;
  Answer answer_;
  std::unique_ptr<std::string> cmcd_;
  uint64_t pseudonym_ = 0;
  uint32_t pseudonymKeys_ = 0;  // `addressKeys` when it was made
  uint64_t movedNs_ = 0;   // when something last moved
  uint64_t windowNs_ = 0;  // begin and bytes of the window over which the rate is judged
  uint64_t windowBytes_ = 0;
};

}  // namespace nearcast
