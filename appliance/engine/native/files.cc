#include "files.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcast {
namespace {

constexpr uint64_t chunkBytes = 1 << 20;
constexpr uint32_t hotS = 2;  // one to two seconds, as the clock falls

}  // namespace

OpenFile::OpenFile(OpenFiles& owner, FileFacts facts)
    : FileFacts(std::move(facts)), owner_(owner), hotUntilS_(sizeBytes / chunkBytes + 1) {
  owner_.open_++;
}

OpenFile::~OpenFile() {
  owner_.open_--;
  if (!isDirty_) return;
  owner_.left_.push_back({std::string(file()), served_});
  std::erase(owner_.dirty_, this);
}

bool OpenFile::isHot(uint64_t offset, uint64_t bytes, uint64_t nowMs, Probe probe) {
  const uint32_t nowS = static_cast<uint32_t>(nowMs / 1000);
  const uint64_t last = (offset + bytes - 1) / chunkBytes;
  for (uint64_t chunk = offset / chunkBytes; chunk <= last; chunk++) {
    if (hotUntilS_[chunk] > nowS) continue;
    const uint64_t start = chunk * chunkBytes;
    const uint64_t length = std::min(chunkBytes, sizeBytes - start);
    if (isResident(fd->get(), start, length, probe)) {
      hotUntilS_[chunk] = nowS + hotS;
      continue;
    }
    const uint64_t from = std::max(start, offset);
    if (!isResident(fd->get(), from, std::min(start + length, offset + bytes) - from, probe)) return false;
  }
  return true;
}

void OpenFile::sent(Scope scope, uint64_t bytes) {
  (scope == Scope::play ? served_.play : served_.fill) += bytes;
  if (!std::exchange(isDirty_, true)) owner_.dirty_.push_back(this);
}

size_t OpenFiles::Hash::operator()(std::string_view name) const {
  size_t hash = 0;
  memcpy(&hash, name.data(), std::min(sizeof hash, name.size()));
  // Hex digits leave most bits alone.
  return hash * 0x9e3779b97f4a7c15u ^ hash >> 29 ^ name.size();
}

void OpenFiles::add(FileFacts facts) {
  if (const auto before = table_.find(facts.name); before != table_.end()) erase(before->second);
  byUse_.push_back(std::make_shared<OpenFile>(*this, std::move(facts)));
  const Entry newest = std::prev(byUse_.end());
  table_.emplace((*newest)->name, newest);
  // The newest is what somebody waits for.
  for (Entry at = byUse_.begin(); at != newest && open_ > filesMax_;)
    if (const Entry each = at++; each->use_count() == 1) erase(each);
}

std::shared_ptr<OpenFile> OpenFiles::find(std::string_view name) {
  const auto found = table_.find(name);
  if (found == table_.end()) return nullptr;
  byUse_.splice(byUse_.end(), byUse_, found->second);
  return *found->second;
}

void OpenFiles::forget(std::string_view file) {
  for (Entry at = byUse_.begin(); at != byUse_.end();)
    if (const Entry each = at++; (*each)->file() == file) erase(each);
}

void OpenFiles::erase(Entry entry) {
  table_.erase((*entry)->name);
  byUse_.erase(entry);
}

std::vector<OpenFiles::Served> OpenFiles::drainServed() {
  std::vector<Served> served = std::exchange(left_, {});
  for (OpenFile* const file : std::exchange(dirty_, {})) {
    served.push_back({std::string(file->file()), std::exchange(file->served_, {})});
    file->isDirty_ = false;
  }
  return served;
}

}  // namespace nearcast
