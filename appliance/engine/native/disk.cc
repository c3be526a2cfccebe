#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "buffers.h"
#include "recent.h"

namespace nearcast {
namespace {

uint64_t monotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// ---- What is in memory ----

// uapi/linux/mman.h of 6.5, which Debian 12's headers do not have; the number is the same on all architectures.
constexpr long cachestatCall = 451;
struct CachestatRange {
  uint64_t offset, bytes;
};
struct Cachestat {
  uint64_t cached, dirty, writeback, evicted, recentlyEvicted;
};

// A page that is being read in is in the cache already, and whoever touches it waits. RWF_NOWAIT tells.
bool isUpToDate(int fd, uint64_t position) {
  char byte;
  iovec vector{&byte, 1};
  ssize_t got;
  do {
    got = preadv2(fd, &vector, 1, static_cast<off_t>(position), RWF_NOWAIT);
  } while (got < 0 && errno == EINTR);
  return got == 1 || (got < 0 && errno == EOPNOTSUPP);
}

bool isResidentByCachestat(int fd, uint64_t offset, uint64_t bytes) {
  CachestatRange range{offset, bytes};
  Cachestat stat{};
  if (syscall(cachestatCall, fd, &range, &stat, 0) != 0) return false;
  uint64_t pages = (offset + bytes - 1) / pageBytes - offset / pageBytes + 1;
  // Reads overlap at an end, or are the same: both ends are looked at, and not every page between.
  return stat.cached >= pages && isUpToDate(fd, offset + bytes - 1) && (pages == 1 || isUpToDate(fd, offset));
}

bool isResidentByMincore(int fd, uint64_t offset, uint64_t bytes) {
  // The kernel says "resident" of everything to whoever could not write the file.
  struct stat status;
  uid_t user = geteuid();
  if (fstat(fd, &status) != 0 || (user != 0 && status.st_uid != user)) return false;
  uint64_t end = offset + bytes;
  constexpr uint64_t stepBytes = 1 << 20;
  std::array<unsigned char, stepBytes / pageBytes> resident;
  for (uint64_t at = offset / pageBytes * pageBytes; at < end; at += stepBytes) {
    size_t step = static_cast<size_t>(std::min(stepBytes, end - at));
    void* map = mmap(nullptr, step, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(at));
    if (map == MAP_FAILED) return false;
    bool known = mincore(map, step, resident.data()) == 0;
    munmap(map, step);
    size_t pages = (step + pageBytes - 1) / pageBytes;
    if (!known || !std::all_of(resident.begin(), resident.begin() + pages, [](unsigned char page) { return page & 1; }))
      return false;
  }
  return true;
}

}  // namespace

// ---- The threads of one disk ----

// Shared by the loop's side and the threads: whoever comes last frees it, so that a thread may be left behind.
struct DiskReaders::Shared {
  Shared(const DiskReaders::Options& options, int notifyFd)
      : options_(options), notifyFd_(notifyFd), buffers_(options.memoryBytes), reading_(options.threads) {
    canDirect_ = options_.read == nullptr;
    if (options_.read == nullptr) options_.read = pread;
  }
  ~Shared() { close(notifyFd_); }

  void stop() {
    std::lock_guard lock(mutex_);
    isStopped_ = true;
    for (auto& queue : queues_) queue.clear();
    waiting_ = 0;
    wake_.notify_all();
  }

  void run(size_t thread) {
    std::unique_lock lock(mutex_);
    for (;;) {
      ReadJob job;
      char* buffer = nullptr;
      while (!isStopped_ && !begin(job, buffer)) wake_.wait(lock);
      if (isStopped_) return;
      if (waiting_ > 0) wake_.notify_one();  // there may be room for more than one
      reading_[thread] = {true, job.priority, job.queuedNs};
      lock.unlock();
      job.begunNs = monotonicNs();
      if (buffer != nullptr) read(job, buffer);
      job.doneNs = monotonicNs();
      lock.lock();
      reading_[thread].isBusy = false;
      if (job.priority != Priority::viewer) others_--;
      if (isStopped_) return;
      if (job.data == nullptr && buffer != nullptr) buffers_.giveBack(buffer);
      done_.push_back(job);
      uint64_t one = 1;
      // Only a counter at its end refuses, and then the loop has been told already.
      (void)!write(notifyFd_, &one, sizeof one);
    }
  }

  struct Reading {
    bool isBusy = false;
    Priority priority = Priority::viewer;
    uint64_t queuedNs = 0;
  };

  // Viewers first. Every 8th job is a fill's if one waits, every 64th a scrub's, so that none starves.
  std::array<Priority, priorityCount> order() const {
    if (turn_ % 64 == 63) return {Priority::scrub, Priority::fill, Priority::viewer};
    if (turn_ % 8 == 7) return {Priority::fill, Priority::scrub, Priority::viewer};
    return {Priority::viewer, Priority::fill, Priority::scrub};
  }

  // Takes the next job and memory for it. False when there is nothing to do, or no room to do it in.
  bool begin(ReadJob& job, char*& buffer) {
    // Others than viewers never hold all the threads: a viewer's read is not to wait for a whole one of theirs.
    unsigned othersMax = std::max(1u, options_.threads / 2);
    for (Priority priority : order()) {
      auto& queue = queues_[static_cast<size_t>(priority)];
      if (queue.empty() || (priority != Priority::viewer && others_ >= othersMax)) continue;
      buffer = buffers_.get(queue.front().bytes);
      if (buffer == nullptr && buffers_.isAnyLent()) return false;
      job = queue.front();
      if (buffer == nullptr) job.error = ENOMEM;
      queue.pop_front();
      waiting_--;
      turn_++;
      if (priority != Priority::viewer) others_++;
      return true;
    }
    return false;
  }

  void read(ReadJob& job, char* buffer) {
    // The pages in which the range begins and ends, as O_DIRECT wants it.
    size_t skew = job.offset % pageBytes;
    size_t want = skew + job.bytes;
    size_t have = skew;
    if (isDirect(job)) have = std::max(have, readDirect(job, buffer, want));
    while (job.error == 0 && have < want) {
      ssize_t got = options_.read(job.fd, buffer + have, want - have, static_cast<off_t>(job.offset - skew + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) job.error = errno;
      if (got <= 0) break;
      have += static_cast<size_t>(got);
    }
    if (job.error != 0) return;
    job.data = buffer + skew;
    job.got = static_cast<uint32_t>(std::min(have, want) - skew);
  }

  // Past the page cache at a fraction of the processor's time, and nothing that is hot makes way for it. What viewers
  // ask for again is read into the cache, and is served from there the third time.
  bool isDirect(const ReadJob& job) {
    if (!canDirect_) return false;
    struct stat status;
    if (job.priority == Priority::viewer && fstat(job.fd, &status) == 0) {
      std::lock_guard lock(recentMutex_);
      if (recent_.seen(status.st_dev, status.st_ino, job.offset, job.bytes)) {
        // No more than what was asked for.
        posix_fadvise(job.fd, 0, 0, POSIX_FADV_RANDOM);
        return false;
      }
    }
    return true;
  }

  // Returns how many bytes of `want`, from the start of the page, are there: fewer at the end of the file, and where
  // the file system would not; then the usual way goes on.
  size_t readDirect(ReadJob& job, char* buffer, size_t want) {
    std::array<char, 32> path;
    snprintf(path.data(), path.size(), "/proc/self/fd/%d", job.fd);
    int fd = open(path.data(), O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t have = 0;
    size_t wholePages = (want + pageBytes - 1) / pageBytes * pageBytes;
    off_t start = static_cast<off_t>(job.offset / pageBytes * pageBytes);
    while (fd >= 0 && have < want && have % pageBytes == 0) {
      ssize_t got = pread(fd, buffer + have, wholePages - have, start + static_cast<off_t>(have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EINVAL) canDirect_ = false;
      if (got < 0 && errno != EINVAL) job.error = errno;
      if (got <= 0) break;
      have += static_cast<size_t>(got);
    }
    if (fd >= 0) close(fd);
    else if (errno == EINVAL || errno == ENOENT) canDirect_ = false;
    return have;
  }

  DiskReaders::Options options_;
  int notifyFd_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool isStopped_ = false;
  std::array<std::deque<ReadJob>, priorityCount> queues_;
  size_t waiting_ = 0;
  std::deque<ReadJob> done_;
  Buffers buffers_;
  std::vector<Reading> reading_;  // by thread
  std::atomic<bool> canDirect_;
  std::mutex recentMutex_;
  Recent recent_;
  unsigned others_ = 0;           // reads under way that are not viewers'
  uint64_t turn_ = 0;
};

std::unique_ptr<DiskReaders> DiskReaders::make(const Options& options, int notifyFd) {
  const int notify = fcntl(notifyFd, F_DUPFD_CLOEXEC, 0);
  if (notify < 0) return nullptr;
  std::unique_ptr<DiskReaders> readers(new DiskReaders(std::make_shared<Shared>(options, notify)));
  struct Start {
    std::shared_ptr<Shared> shared;
    size_t thread;
  };
  const auto run = [](void* argument) -> void* {
    const std::unique_ptr<Start> start(static_cast<Start*>(argument));
    start->shared->run(start->thread);
    return nullptr;
  };
  // Signals are the main thread's, and these need little stack.
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (size_t i = 0; i < options.threads; i++) {
    auto start = std::make_unique<Start>(Start{readers->shared_, i});
    pthread_t thread;
    if (pthread_create(&thread, &attributes, run, start.get()) != 0) break;
    start.release();
    readers->threads_.push_back(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return readers->threads_.empty() ? nullptr : std::move(readers);
}

DiskReaders::~DiskReaders() {
  shared_->stop();
  for (pthread_t thread : threads_) pthread_join(thread, nullptr);
}

void DiskReaders::abandon(std::unique_ptr<DiskReaders> readers) {
  if (readers == nullptr) return;
  for (pthread_t thread : std::exchange(readers->threads_, {})) pthread_detach(thread);
}

bool DiskReaders::submit(ReadJob job) {
  std::lock_guard lock(shared_->mutex_);
  size_t max = job.priority == Priority::viewer ? shared_->options_.queueMax : shared_->options_.queueMax / 2;
  if (job.bytes > readBytesMax || shared_->waiting_ >= max) return false;
  job.queuedNs = monotonicNs();
  shared_->queues_[static_cast<size_t>(job.priority)].push_back(job);
  shared_->waiting_++;
  shared_->wake_.notify_one();
  return true;
}

bool DiskReaders::take(ReadJob& job) {
  std::lock_guard lock(shared_->mutex_);
  if (shared_->done_.empty()) return false;
  job = shared_->done_.front();
  shared_->done_.pop_front();
  return true;
}

void DiskReaders::release(char* data) {
  std::lock_guard lock(shared_->mutex_);
  shared_->buffers_.giveBack(data - reinterpret_cast<uintptr_t>(data) % pageBytes);
  shared_->wake_.notify_one();
}

size_t DiskReaders::cancel(uint64_t owner) {
  std::lock_guard lock(shared_->mutex_);
  size_t forgotten = 0;
  for (auto& queue : shared_->queues_)
    forgotten += std::erase_if(queue, [owner](const ReadJob& job) { return job.owner == owner; });
  shared_->waiting_ -= forgotten;
  return forgotten;
}

uint64_t DiskReaders::oldestWaitNs(uint64_t nowNs) const {
  std::lock_guard lock(shared_->mutex_);
  const auto& viewers = shared_->queues_[static_cast<size_t>(Priority::viewer)];
  uint64_t oldest = viewers.empty() ? nowNs : viewers.front().queuedNs;
  for (const Shared::Reading& reading : shared_->reading_)
    if (reading.isBusy && reading.priority == Priority::viewer) oldest = std::min(oldest, reading.queuedNs);
  return nowNs - std::min(oldest, nowNs);
}

size_t DiskReaders::waiting() const {
  std::lock_guard lock(shared_->mutex_);
  return shared_->waiting_;
}

Probe bestProbe() {
  // Asked of a file of our own: the kernel tells nothing about those of others.
  int fd = memfd_create("probe", MFD_CLOEXEC);
  if (fd < 0) return Probe::mincore;
  CachestatRange range{0, pageBytes};
  Cachestat stat{};
  bool works = syscall(cachestatCall, fd, &range, &stat, 0) == 0;
  close(fd);
  return works ? Probe::cachestat : Probe::mincore;
}

bool isResident(int fd, uint64_t offset, uint64_t bytes, Probe probe) {
  if (bytes == 0) return true;
  if (probe == Probe::cachestat) return isResidentByCachestat(fd, offset, bytes);
  return probe == Probe::mincore && isResidentByMincore(fd, offset, bytes);
}

}  // namespace nearcast
