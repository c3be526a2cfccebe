#include "disk.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace nearcast {
namespace {

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
  const iovec vector{&byte, 1};
  const ssize_t got = preadv2(fd, &vector, 1, static_cast<off_t>(position), RWF_NOWAIT);
  return got == 1 || (got < 0 && errno == EOPNOTSUPP);
}

bool isResidentByCachestat(int fd, uint64_t offset, uint64_t bytes) {
  CachestatRange range{offset, bytes};
  Cachestat stat{};
  if (syscall(cachestatCall, fd, &range, &stat, 0) != 0) return false;
  const uint64_t pages = (offset + bytes - 1) / pageBytes - offset / pageBytes + 1;
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

Probe bestProbe() {
  // Asked of a file of our own: the kernel tells nothing about those of others.
  const Descriptor file(memfd_create("probe", MFD_CLOEXEC));
  CachestatRange range{0, pageBytes};
  Cachestat stat{};
  return syscall(cachestatCall, file.get(), &range, &stat, 0) == 0 ? Probe::cachestat : Probe::mincore;
}

bool isResident(int fd, uint64_t offset, uint64_t bytes, Probe probe) {
  if (bytes == 0) return true;
  if (probe == Probe::cachestat) return isResidentByCachestat(fd, offset, bytes);
  return probe == Probe::mincore && isResidentByMincore(fd, offset, bytes);
}

// ---- The threads of one disk ----

DiskReaders::DiskReaders(const Options& options, std::shared_ptr<const Descriptor> notify)
    : options_(options),
      notify_(std::move(notify)),
      buffers_(options.memoryBytes),
      viewersNs_(options.threads, UINT64_MAX),
      canDirect_(options.read == nullptr) {
  if (options_.read == nullptr) options_.read = pread;
}

std::shared_ptr<DiskReaders> DiskReaders::make(const Options& options, std::shared_ptr<const Descriptor> notify) {
  std::shared_ptr<DiskReaders> readers(new DiskReaders(options, std::move(notify)));
  // Signals are the main thread's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  size_t threads = 0;
  try {
    for (; threads < options.threads; threads++) std::thread([=] { readers->run(threads); }).detach();
  } catch (const std::system_error&) {
    // There are no more to be had.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return threads > 0 ? readers : nullptr;
}

void DiskReaders::stop() {
  Queue done;  // what it holds goes back when nothing is locked any more
  std::lock_guard lock(mutex_);
  isStopped_ = true;
  for (Queue& queue : queues_) queue.clear();
  done.swap(done_);
  wake_.notify_all();
}

void DiskReaders::run(size_t thread) {
  for (;;) {
    ReadJob job;
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return isStopped_ || begin(job); });
    if (isStopped_) return;
    if (waiting() > 0) wake_.notify_one();  // there may be room for more than one
    if (job.priority == Priority::viewer) viewersNs_[thread] = job.queuedNs;
    lock.unlock();
    if (job.error == 0) read(job);
    lock.lock();
    viewersNs_[thread] = UINT64_MAX;
    if (job.priority == Priority::fill) fills_--;
    if (isStopped_) return;
    done_.push_back(std::move(job));
    // Only a counter at its end refuses, and then the loop has been told already.
    eventfd_write(notify_->get(), 1);
  }
}

// Takes the next job and memory for it. False when there is nothing to do, or no room to do it in.
bool DiskReaders::begin(ReadJob& job) {
  // Viewers first. Every 8th job is a fill's if one waits, so that none starves. Fills never hold all the threads: a
  // viewer's read is not to wait for a whole one of theirs.
  const bool mayFill = !queueOf(Priority::fill).empty() && fills_ < std::max(1u, options_.threads / 2);
  const bool isViewers = !queueOf(Priority::viewer).empty() && !(mayFill && turn_ % 8 == 7);
  if (!isViewers && !mayFill) return false;
  Queue& queue = queueOf(isViewers ? Priority::viewer : Priority::fill);
  std::shared_ptr<char> buffer = lend(queue.front().bytes);
  if (buffer == nullptr && buffers_.isAnyLent()) return false;
  job = std::move(queue.front());
  queue.pop_front();
  if (buffer == nullptr) job.error = ENOMEM;
  job.data = std::move(buffer);
  turn_++;
  if (!isViewers) fills_++;
  return true;
}

std::shared_ptr<char> DiskReaders::lend(size_t bytes) {
  const size_t size = Buffers::sizeFor(bytes);
  char* const buffer = buffers_.get(size);
  if (buffer == nullptr) return nullptr;
  return {buffer, [self = shared_from_this(), size](char* lent) {
            std::lock_guard lock(self->mutex_);
            self->buffers_.giveBack(lent, size);
            self->wake_.notify_one();
          }};
}

void DiskReaders::read(ReadJob& job) {
  // From the start of a page, as O_DIRECT wants it.
  const size_t skew = job.offset % pageBytes;
  const size_t want = skew + job.bytes;
  const uint64_t start = job.offset - skew;
  const Descriptor direct = openDirect(job);
  size_t have = 0;
  while (have < want) {
    // Whole pages while the file system gives them. Behind half a one, at the end of the file, nothing is direct.
    const bool isWhole = direct && canDirect_ && have % pageBytes == 0;
    const size_t bytes = (isWhole ? (want + pageBytes - 1) / pageBytes * pageBytes : want) - have;
    const off_t at = static_cast<off_t>(start + have);
    const ssize_t got = isWhole ? pread(direct.get(), job.data.get() + have, bytes, at)
                                : options_.read(job.file->get(), job.data.get() + have, bytes, at);
    if (got < 0 && isWhole && errno == EINVAL) {
      canDirect_ = false;
      continue;
    }
    if (got < 0) job.error = errno;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  job.got = static_cast<uint32_t>(std::max(std::min(have, want), skew) - skew);
  job.data = job.error == 0 ? std::shared_ptr<char>(job.data, job.data.get() + skew) : nullptr;
}

// Past the page cache at a fraction of the processor's time, and nothing that is hot makes way for it. What viewers
// ask for again is read into the cache, and is served from there the third time.
Descriptor DiskReaders::openDirect(const ReadJob& job) {
  if (!canDirect_) return Descriptor();
  struct stat status;
  if (job.priority == Priority::viewer && fstat(job.file->get(), &status) == 0) {
    std::lock_guard lock(recentMutex_);
    if (recent_.seen(status.st_dev, status.st_ino, job.offset, job.bytes)) {
      // No more than what was asked for.
      posix_fadvise(job.file->get(), 0, 0, POSIX_FADV_RANDOM);
      return Descriptor();
    }
  }
  const std::string path = "/proc/self/fd/" + std::to_string(job.file->get());
  Descriptor direct(open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!direct && (errno == EINVAL || errno == ENOENT)) canDirect_ = false;
  return direct;
}

bool DiskReaders::submit(ReadJob job) {
  std::lock_guard lock(mutex_);
  const size_t max = job.priority == Priority::viewer ? options_.queueMax : options_.queueMax / 2;
  if (job.bytes > readBytesMax || waiting() >= max) return false;
  job.queuedNs = monotonicNs();
  queueOf(job.priority).push_back(std::move(job));
  wake_.notify_one();
  return true;
}

std::optional<ReadJob> DiskReaders::take() {
  std::lock_guard lock(mutex_);
  if (done_.empty()) return {};
  std::optional<ReadJob> job(std::move(done_.front()));
  done_.pop_front();
  return job;
}

void DiskReaders::cancel(uint64_t owner) {
  std::lock_guard lock(mutex_);
  for (Queue& queue : queues_) std::erase_if(queue, [=](const ReadJob& job) { return job.owner == owner; });
}

uint64_t DiskReaders::oldestWaitNs(uint64_t nowNs) const {
  std::lock_guard lock(mutex_);
  uint64_t oldestNs = std::ranges::min(viewersNs_);
  const Queue& viewers = queues_[static_cast<size_t>(Priority::viewer)];
  if (!viewers.empty()) oldestNs = std::min(oldestNs, viewers.front().queuedNs);
  return nowNs - std::min(oldestNs, nowNs);
}

}  // namespace nearcast
