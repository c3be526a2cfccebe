// Tests of disk.h. By `make test-disk` (ASan, UBSan) and `make test-disk-tsan`, or by hand:
//   clang++-14 -std=c++20 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all test-disk.cc disk.cc -o /tmp/a && /tmp/a
//   clang++-14 -std=c++20 -g -O1 -fsanitize=thread test-disk.cc disk.cc -o /tmp/t && /tmp/t
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "disk.h"
#include "test-check.h"

using namespace nearcast;

namespace {

constexpr uint64_t fileBytes = 5'000'123;  // ends within a page

char byteAt(uint64_t position) { return static_cast<char>(position * 2654435761u >> 13); }

// A file with known content, without a name.
class TestFile {
 public:
  explicit TestFile(const char* directory = "/var/tmp") {
    std::string path = std::string(directory) + "/test-disk-XXXXXX";
    file_ = std::make_shared<Descriptor>(mkstemp(path.data()));
    CHECK(*file_);
    unlink(path.c_str());
    std::vector<char> bytes(fileBytes);
    for (uint64_t i = 0; i < fileBytes; i++) bytes[i] = byteAt(i);
    CHECK(write(fd(), bytes.data(), bytes.size()) == static_cast<ssize_t>(fileBytes));
    CHECK(fsync(fd()) == 0);
  }
  int fd() const { return file_->get(); }
  std::shared_ptr<const Descriptor> file() const { return file_; }
  // A disk in memory keeps everything: there is nothing to be tested on it.
  bool isOnDisk() const {
    dropFromMemory();
    bool isDropped = !isResident(fd(), 0, 4096, Probe::mincore);
    if (!isDropped) printf("skipped: the temporary directory is in memory\n");
    return isDropped;
  }
  void dropFromMemory() const { CHECK(posix_fadvise(fd(), 0, 0, POSIX_FADV_DONTNEED) == 0); }

 private:
  std::shared_ptr<Descriptor> file_;
};

// Readers and their eventfd.
struct Disk {
  explicit Disk(DiskReaders::Options options = {}) : notify(std::make_shared<Descriptor>(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))) {
    readers = DiskReaders::make(options, notify);
    CHECK(readers != nullptr);
  }
  ~Disk() { stop(); }
  // Threads end by themselves, and the last one frees what they used; the sanitizers look on.
  void stop() {
    if (!readers) return;
    readers->stop();
    const std::weak_ptr<DiskReaders> left = std::exchange(readers, nullptr);
    while (!left.expired()) usleep(1000);
  }
  // The next finished job.
  ReadJob next() {
    for (;;) {
      if (auto job = readers->take()) return std::move(*job);
      pollfd waits{notify->get(), POLLIN, 0};
      CHECK(poll(&waits, 1, 20'000) == 1);
      uint64_t count;
      (void)!read(notify->get(), &count, sizeof count);
    }
  }
  const std::shared_ptr<const Descriptor> notify;
  std::shared_ptr<DiskReaders> readers;
};

ReadJob jobOf(const TestFile& file, uint64_t offset, uint32_t bytes, uint64_t owner = 0, Priority priority = Priority::viewer) {
  ReadJob job;
  job.file = file.file();
  job.offset = offset;
  job.bytes = bytes;
  job.owner = owner;
  job.priority = priority;
  return job;
}

void checkContent(const ReadJob& job) {
  uint64_t expected = job.offset >= fileBytes ? 0 : std::min<uint64_t>(job.bytes, fileBytes - job.offset);
  CHECK(job.error == 0 && job.data != nullptr && job.got == expected);
  for (uint32_t i = 0; i < job.got; i++) CHECK(job.data.get()[i] == byteAt(job.offset + i));
}

// ---- A disk that hangs, and one that fails ----

int gate[2];  // reads of `hungFd` wait for a byte in here
std::atomic<int> hungFd = -1;
std::atomic<int> hanging = 0;
std::atomic<int> failingFd = -1;

ssize_t strangeRead(int fd, void* into, size_t bytes, off_t offset) {
  if (fd == failingFd) {
    errno = EIO;
    return -1;
  }
  if (fd != hungFd) return pread(fd, into, bytes, offset);
  hanging++;
  char byte;
  (void)!read(gate[0], &byte, 1);
  ssize_t got = pread(fd, into, bytes, offset);
  hanging--;
  return got;
}

void hang(int fd) {
  CHECK(pipe(gate) == 0);
  hungFd = fd;
}
void waitUntilHanging(int count) {
  while (hanging != count) usleep(1000);
}
void letGo() {
  hungFd = -1;
  close(gate[1]);
  waitUntilHanging(0);
  close(gate[0]);
}

// ---- Tests ----

void manyJobs(const char* directory) {
  TestFile file(directory);
  Disk disk({.threads = 4, .memoryBytes = 4 << 20});
  std::mt19937_64 random(1);
  size_t submitted = 0, done = 0;
  std::set<uint64_t> owners;
  std::deque<std::shared_ptr<char>> lent;
  while (done < 1500) {
    while (submitted < 1500 && submitted - done < 64) {
      uint64_t offset = random() % (fileBytes + 10'000);
      if (random() % 4 == 0) offset = offset / 4096 * 4096;
      uint32_t bytes = static_cast<uint32_t>(random() % (random() % 8 == 0 ? readBytesMax + 1 : 70'000));
      if (random() % 64 == 0) file.dropFromMemory();
      CHECK(disk.readers->submit(jobOf(file, offset, bytes, submitted, static_cast<Priority>(random() % 2))));
      submitted++;
    }
    ReadJob job = disk.next();
    checkContent(job);
    CHECK(owners.insert(job.owner).second);
    lent.push_back(job.data);
    if (lent.size() > 2) lent.pop_front();
    done++;
  }
}

void refusesWhatIsTooMuch() {
  TestFile file;
  hang(file.fd());
  Disk disk({.threads = 1, .queueMax = 8, .read = strangeRead});
  CHECK(!disk.readers->submit(jobOf(file, 0, readBytesMax + 1)));
  CHECK(disk.readers->submit(jobOf(file, 0, 1)));
  waitUntilHanging(1);
  for (uint64_t i = 0; i < 4; i++) CHECK(disk.readers->submit(jobOf(file, 0, 1, i, Priority::fill)));
  CHECK(!disk.readers->submit(jobOf(file, 0, 1, 9, Priority::fill)));
  for (uint64_t i = 4; i < 8; i++) CHECK(disk.readers->submit(jobOf(file, 0, 1, i)));
  CHECK(!disk.readers->submit(jobOf(file, 0, 1, 9)));
  letGo();
  for (int i = 0; i < 9; i++) checkContent(disk.next());
}

// Viewers first, in their order; a fill's at least at every 8th job.
void priorities() {
  TestFile file;
  hang(file.fd());
  Disk disk({.threads = 1, .read = strangeRead});
  CHECK(disk.readers->submit(jobOf(file, 0, 1)));
  waitUntilHanging(1);
  for (uint64_t i = 0; i < 20; i++) CHECK(disk.readers->submit(jobOf(file, 0, 1, i, Priority::fill)));
  for (uint64_t i = 0; i < 200; i++) CHECK(disk.readers->submit(jobOf(file, 0, 1, i)));
  letGo();
  disk.next();
  std::map<Priority, uint64_t> taken;
  std::string order;
  for (int i = 0; i < 220; i++) {
    ReadJob job = disk.next();
    CHECK(job.owner == taken[job.priority]++);
    order += "vf"[static_cast<size_t>(job.priority)];
  }
  CHECK(order.starts_with("vvvvvvfvvvvvvvf"));
  CHECK(order.substr(0, 200).find("vvvvvvvv") == std::string::npos || taken[Priority::fill] == 20);
  CHECK(order.substr(0, 150).find("ff") == std::string::npos);
}

void memoryIsBounded() {
  TestFile file;
  Disk disk({.threads = 2, .memoryBytes = 3 << 20});
  for (uint64_t i = 0; i < 8; i++) CHECK(disk.readers->submit(jobOf(file, i << 19, readBytesMax, i)));
  std::vector<ReadJob> lent{disk.next(), disk.next()};
  usleep(50'000);
  CHECK(!disk.readers->take());  // no room for a third, with the pages at its ends
  for (int i = 0; i < 6; i++) {
    lent.pop_back();
    lent.push_back(disk.next());
    checkContent(lent.back());
  }
  // What is still lent keeps what it is of.
  disk.readers->stop();
  disk.readers.reset();
  for (const ReadJob& each : lent) checkContent(each);
}

void cancels() {
  TestFile file;
  hang(file.fd());
  Disk disk({.threads = 1, .read = strangeRead});
  CHECK(disk.readers->submit(jobOf(file, 0, 1, 1)));
  waitUntilHanging(1);
  for (uint64_t owner : {1u, 2u, 1u, 3u})
    CHECK(disk.readers->submit(jobOf(file, owner, 1, owner, static_cast<Priority>(owner % 2))));
  for (uint64_t owner : {1u, 3u, 4u}) disk.readers->cancel(owner);
  letGo();
  CHECK(disk.next().owner == 1);
  CHECK(disk.next().owner == 2);
  CHECK(!disk.readers->take());
}

void errors() {
  TestFile file, broken;
  failingFd = broken.fd();
  Disk disk({.read = strangeRead});
  CHECK(disk.readers->submit(jobOf(broken, 0, 10, 7)));
  ReadJob job = disk.next();
  CHECK(job.error == EIO && job.data == nullptr && job.got == 0 && job.owner == 7);
  ReadJob closed = jobOf(file, 0, 10);
  closed.file = std::make_shared<Descriptor>();
  CHECK(disk.readers->submit(closed));
  CHECK(disk.next().error == EBADF);
  CHECK(disk.readers->submit(jobOf(file, fileBytes - 5, 10)));
  job = disk.next();
  checkContent(job);
  CHECK(job.got == 5);
  CHECK(disk.readers->submit(jobOf(file, fileBytes + 5000, 10)));
  job = disk.next();
  CHECK(job.got == 0 && job.error == 0 && job.data != nullptr);
  failingFd = -1;
}

// What is asked for once leaves nothing in the page cache; what is asked for again does, and gives the same bytes.
void keepsWhatIsAskedAgain() {
  TestFile file;
  if (!file.isOnDisk()) return;
  Disk disk;
  struct Range {
    uint64_t offset;
    uint32_t bytes;
  };
  for (auto [offset, bytes] : {Range{0, 65'536}, Range{1'000'001, 300'000}, Range{fileBytes - 70'000, 90'000}}) {
    for (Priority priority : {Priority::fill, Priority::fill, Priority::viewer, Priority::viewer}) {
      file.dropFromMemory();
      CHECK(disk.readers->submit(jobOf(file, offset, bytes, 0, priority)));
      ReadJob job = disk.next();
      checkContent(job);
      CHECK(!isResident(file.fd(), offset, job.got, Probe::mincore) || priority == Priority::viewer);
    }
    CHECK(isResident(file.fd(), offset, 60'000, Probe::mincore));
    CHECK(!isResident(file.fd(), offset > 0 ? offset - 20'000 : 400'000, 4096, Probe::mincore));
  }
}

// One disk hangs: its jobs get old, those of the other come back at once, and the process goes on without its threads.
void hungDisk() {
  TestFile dead, alive;
  hang(dead.fd());
  Disk hung({.threads = 2, .read = strangeRead}), healthy({.threads = 2, .read = strangeRead});
  for (uint64_t i = 0; i < 3; i++) CHECK(hung.readers->submit(jobOf(dead, 0, 100'000, i)));
  waitUntilHanging(2);
  for (int i = 0; i < 200; i++) {
    CHECK(healthy.readers->submit(jobOf(alive, static_cast<uint64_t>(i) * 1000, 50'000)));
    ReadJob job = healthy.next();
    checkContent(job);
  }
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t nowNs = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  CHECK(healthy.readers->oldestWaitNs(nowNs) == 0);
  CHECK(hung.readers->oldestWaitNs(nowNs + 1'000'000'000) >= 1'000'000'000);
  CHECK(!hung.readers->take());
  hung.readers->stop();  // returns although two threads hang
  CHECK(hanging == 2);
  letGo();
}

void residency(Probe probe) {
  TestFile file;
  if (!file.isOnDisk()) return;
  CHECK(!isResident(file.fd(), 0, fileBytes, probe));
  std::vector<char> bytes(1 << 20);
  CHECK(pread(file.fd(), bytes.data(), 300'000, 1'000'000) == 300'000);
  CHECK(isResident(file.fd(), 1'000'000, 300'000, probe));
  CHECK(isResident(file.fd(), 1'000'001, 1, probe));
  file.dropFromMemory();
  CHECK(!isResident(file.fd(), 1'000'001, 1, probe));
  for (uint64_t at = 0; at < fileBytes; at += bytes.size())
    CHECK(pread(file.fd(), bytes.data(), bytes.size(), static_cast<off_t>(at)) > 0);
  CHECK(isResident(file.fd(), 0, fileBytes, probe));
  CHECK(isResident(file.fd(), 12'345, 3'000'000, probe));
  CHECK(!isResident(-1, 0, 1, probe));
  // Cut off below what is asked: neither yes nor a SIGBUS.
  CHECK(ftruncate(file.fd(), 8192) == 0);
  CHECK(!isResident(file.fd(), 4096, 1'000'000, probe));
}

}  // namespace

int main() {
  manyJobs("/var/tmp");
  manyJobs("/dev/shm");
  refusesWhatIsTooMuch();
  priorities();
  memoryIsBounded();
  cancels();
  errors();
  keepsWhatIsAskedAgain();
  hungDisk();
  if (bestProbe() == Probe::cachestat) residency(Probe::cachestat);
  else printf("skipped: this kernel has no cachestat\n");
  residency(Probe::mincore);
  CHECK(!isResident(0, 0, 1, Probe::none));
  printf("test-disk: all well\n");
}
