// Tests of files.h. By `make test-files` (ASan, UBSan).
#include "files.h"
#include "test-check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace nearcast;

namespace {

constexpr uint64_t sizeBytes = 3 << 20;

std::string nameOf(char digit, const char* ext) { return std::string(64, digit) + "." + ext; }

int open(OpenFiles& files, const std::string& name) {
  const int fd = memfd_create("file", MFD_CLOEXEC);
  CHECK(fd >= 0 && ftruncate(fd, sizeBytes) == 0);
  files.add({name, std::make_shared<Descriptor>(fd), sizeBytes, 0, "\"tag\"", "", "", ""});
  return fd;
}

bool isOpen(int fd) { return fcntl(fd, F_GETFD) >= 0 || errno != EBADF; }

void testReferences() {
  OpenFiles files(8);
  const int fd = open(files, nameOf('a', "mp4"));
  const int list = open(files, nameOf('a', "chunks"));
  const int other = open(files, nameOf('b', "mp4"));
  auto file = files.find(nameOf('a', "mp4"));
  CHECK(file != nullptr && file->ext() == "mp4" && files.find(nameOf('a', "m4a")) == nullptr);
  files.forget(std::string(64, 'a'));
  CHECK(!files.has(nameOf('a', "mp4")) && !files.has(nameOf('a', "chunks")) && files.has(nameOf('b', "mp4")));
  CHECK(isOpen(fd) && !isOpen(list) && isOpen(other));  // who reads it reads on
  const int again = open(files, nameOf('a', "mp4"));     // and it may come back meanwhile
  file.reset();
  CHECK(!isOpen(fd) && isOpen(again) && files.size() == 2);
}

void testBound() {
  OpenFiles files(2);
  const int first = open(files, nameOf('a', "mp4"));
  const int second = open(files, nameOf('b', "mp4"));
  auto used = files.find(nameOf('a', "mp4"));
  const int third = open(files, nameOf('c', "mp4"));
  CHECK(isOpen(first) && !isOpen(second) && isOpen(third) && files.size() == 2);
  auto alsoUsed = files.find(nameOf('c', "mp4"));
  open(files, nameOf('d', "mp4"));
  CHECK(files.size() == 3);  // what is in use stays, and so does what somebody waits for
  used.reset();
  alsoUsed.reset();
  open(files, nameOf('e', "mp4"));
  CHECK(files.size() == 2);
}

void testServed() {
  OpenFiles files(1);
  open(files, nameOf('a', "mp4"));
  auto file = files.find(nameOf('a', "mp4"));
  file->sent(Scope::play, 10);
  file->sent(Scope::fill, 5);
  file->sent(Scope::picture, 7);
  file->sent(Scope::play, 1);
  file.reset();
  open(files, nameOf('b', "mp4"));  // closes the first: what it served is told all the same
  const auto served = files.drainServed();
  CHECK(served.size() == 1 && served[0].first == std::string(64, 'a'));
  CHECK((served[0].second == ServedBytes{11, 5, 7}));
  CHECK(files.drainServed().empty());
}

// What was never looked at is not hot, whatever the clock says; what was found in memory is, for a moment.
void testHot() {
  OpenFiles files(1);
  open(files, nameOf('a', "mp4"));
  auto file = files.find(nameOf('a', "mp4"));
  for (const uint64_t nowMs : {uint64_t{1}, uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1'795'255'135'007}})
    CHECK(!file->isHot(0, 4096, nowMs, Probe::none));
  file.reset();
}

}  // namespace

int main() {
  testReferences();
  testBound();
  testServed();
  testHot();
}
