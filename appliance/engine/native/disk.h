// Reads of ranges that are not in memory, by threads of the disk that holds them, so that no disk is ever waited for
// by the loop, nor by files of another disk.
#pragma once


#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "buffers.h"
#include "descriptor.h"
#include "recent.h"

namespace nearcast {

// Whether all of a range is in the page cache, without waiting for any disk: cachestat(2) where the kernel has it
// (6.5), else mincore(2) over a mapping that is never touched. `bestProbe` asks the kernel: keep what it says.
enum class Probe : uint8_t { cachestat, mincore, none };
Probe bestProbe();
// False also where it cannot be known: `none`, or a file that is not ours (the kernel tells only owners).
bool isResident(int fd, uint64_t offset, uint64_t bytes, Probe probe);

// CLOCK_MONOTONIC.
inline uint64_t monotonicNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

enum class Priority : uint8_t { viewer, fill };

// One read: `bytes` from `offset` of a file, into memory that the readers own and lend.
struct ReadJob {
  std::shared_ptr<const Descriptor> file;
  uint64_t offset = 0;
  uint32_t bytes = 0;  // at most readBytesMax
  Priority priority = Priority::viewer;
  uint64_t owner = 0;  // whatever the caller wants back
  // Filled in when done:
  std::shared_ptr<char> data;  // none when it failed; goes back when nobody holds it
  uint32_t got = 0;            // less than asked only at the end of the file
  int error = 0;               // errno
  uint64_t queuedNs = 0;       // by `monotonicNs`
};

// The reading threads of one disk. Made and used by the loop's thread alone; each thread and whatever is lent keep it.
class DiskReaders : public std::enable_shared_from_this<DiskReaders> {
 public:
  struct Options {
    unsigned threads = 4;
    size_t queueMax = 1024;         // jobs waiting; more are refused, fills at half of it
    size_t memoryBytes = 64 << 20;  // buffers lent, being read into or kept for the next; jobs wait for room
    // Tests put a disk that fails or hangs here.
    ssize_t (*read)(int fd, void* into, size_t bytes, off_t offset) = nullptr;
  };
  // `notify`, an eventfd, is written to whenever a job is done. nullptr where no thread could be had.
  static std::shared_ptr<DiskReaders> make(const Options& options, std::shared_ptr<const Descriptor> notify);
  // False when the queue is full.
  bool submit(ReadJob job);
  // Takes one finished job, where there is one.
  std::optional<ReadJob> take();
  // Forgets jobs of this owner that have not begun; what has begun comes back as any other.
  void cancel(uint64_t owner);
  // How long ago the oldest viewer's job was queued that is not done: it waits, or hangs in the disk.
  uint64_t oldestWaitNs(uint64_t nowNs) const;
  // Jobs that wait are forgotten, and threads end. Nothing waits for those that hang in a dead disk.
  void stop();

 private:
  using Queue = std::deque<ReadJob>;
  DiskReaders(const Options& options, std::shared_ptr<const Descriptor> notify);
  Queue& queueOf(Priority priority) { return queues_[static_cast<size_t>(priority)]; }
  size_t waiting() const { return queues_[0].size() + queues_[1].size(); }
  void run(size_t thread);
  bool begin(ReadJob& job);
  std::shared_ptr<char> lend(size_t bytes);
  void read(ReadJob& job);
  Descriptor openDirect(const ReadJob& job);

  Options options_;
  const std::shared_ptr<const Descriptor> notify_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool isStopped_ = false;
  std::array<Queue, 2> queues_;
  Queue done_;
  Buffers buffers_;
  std::vector<uint64_t> viewersNs_;  // by thread: since when a viewer waits for what it reads; UINT64_MAX for none
  std::atomic<bool> canDirect_;
  std::mutex recentMutex_;
  Recent recent_;
  unsigned fills_ = 0;  // reads under way that are not viewers'
  uint64_t turn_ = 0;
};

}  // namespace nearcast
