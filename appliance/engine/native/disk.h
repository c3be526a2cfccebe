// Reads of ranges that are not in memory, by threads of the disk that holds them, so that no disk is ever waited for
// by the loop, nor by files of another disk.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nearcast {

// Whether all of a range is in the page cache, without waiting for any disk: cachestat(2) where the kernel has it
// (6.5), else mincore(2) over a mapping that is never touched. `bestProbe` asks the kernel: keep what it says.
enum class Probe : uint8_t { cachestat, mincore, none };
Probe bestProbe();
// False also where it cannot be known: `none`, or a file that is not ours (the kernel tells only owners).
bool isResident(int fd, uint64_t offset, uint64_t bytes, Probe probe);

enum class Priority : uint8_t { viewer, fill, scrub };
inline constexpr size_t priorityCount = 3;

// One read: `bytes` from `offset` of `fd`, into memory that the readers own and lend.
struct ReadJob {
  int fd = -1;  // stays open until the job is done
  uint64_t offset = 0;
  uint32_t bytes = 0;  // at most readBytesMax
  Priority priority = Priority::viewer;
  uint64_t owner = 0;  // whatever the caller wants back
  // Filled in when done:
  char* data = nullptr;  // nullptr when it failed; otherwise to be released, also where `got` is 0
  uint32_t got = 0;      // less than asked only at the end of the file
  int error = 0;         // errno
  uint64_t queuedNs = 0;  // CLOCK_MONOTONIC when queued, when begun, and when done
  uint64_t begunNs = 0;
  uint64_t doneNs = 0;
};
inline constexpr size_t readBytesMax = 1 << 20;

// The reading threads of one disk. Made, used and destroyed by the loop's thread alone.
class DiskReaders {
 public:
  struct Options {
    unsigned threads = 4;
    size_t queueMax = 1024;         // jobs waiting; more are refused, fill and scrub at half of it
    size_t memoryBytes = 64 << 20;  // buffers lent, being read into or kept for the next; jobs wait for room
    // Tests put a disk that fails or hangs here.
    ssize_t (*read)(int fd, void* into, size_t bytes, off_t offset) = nullptr;
  };
  // `notifyFd` (an eventfd, duplicated) is written to whenever a job is done. nullptr where no thread could be had.
  static std::unique_ptr<DiskReaders> make(const Options& options, int notifyFd);
  // Waits for reads under way: destroy it only when nothing hangs, or leave it to `abandon`. What was lent is gone.
  ~DiskReaders();
  // False when the queue is full.
  bool submit(ReadJob job);
  // Takes one finished job; false when there is none. Its `data` is lent until `release`.
  bool take(ReadJob& job);
  void release(char* data);
  // Forgets jobs of this owner that have not begun, and says how many; what has begun comes back as any other.
  size_t cancel(uint64_t owner);
  // How long ago the oldest viewer's job was queued that is not done: it waits, or hangs in the disk.
  uint64_t oldestWaitNs(uint64_t nowNs) const;
  size_t waiting() const;  // jobs that have not begun
  // Jobs that wait are forgotten, and threads that hang in a dead disk are left behind with what they use: nothing
  // waits for them. Their files may be closed.
  static void abandon(std::unique_ptr<DiskReaders> readers);

 private:
  struct Shared;
  explicit DiskReaders(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
  std::vector<pthread_t> threads_;
};

}  // namespace nearcast
