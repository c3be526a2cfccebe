#include "files.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace nearcast {
namespace {

constexpr uint64_t chunkBytes = 1 << 20;
constexpr uint32_t hotS = 2;  // one to two seconds, as the clock falls

}  // namespace

OpenFile::OpenFile(std::string name, int fd, uint64_t sizeBytes, std::string etag, FileHeads heads, uint32_t disk)
    : name(std::move(name)),
      fd(fd),
      sizeBytes(sizeBytes),
      etag(std::move(etag)),
      heads(std::move(heads)),
      disk(disk),
      hotUntilS_(sizeBytes / chunkBytes + 1) {}

OpenFile::~OpenFile() { close(fd); }

bool OpenFile::isHot(uint64_t offset, uint64_t bytes, uint64_t nowMs, Probe probe) {
  const uint32_t nowS = static_cast<uint32_t>(nowMs / 1000);
  const uint64_t last = (offset + bytes - 1) / chunkBytes;
  for (uint64_t chunk = offset / chunkBytes; chunk <= last; chunk++) {
    if (hotUntilS_[chunk] > nowS) continue;
    const uint64_t start = chunk * chunkBytes;
    const uint64_t length = std::min(chunkBytes, sizeBytes - start);
    if (isResident(fd, start, length, probe)) {
      hotUntilS_[chunk] = nowS + hotS;
      continue;
    }
    const uint64_t from = std::max(start, offset);
    if (!isResident(fd, from, std::min(start + length, offset + bytes) - from, probe)) return false;
  }
  return true;
}

void OpenFile::sent(Scope scope, uint64_t bytes) {
  (scope == Scope::play ? served_.play : served_.fill) += bytes;
  if (isDirty_) return;
  isDirty_ = true;
  owner_->dirty_.push_back(this);
}

size_t OpenFiles::Hash::operator()(std::string_view name) const {
  size_t hash = 0;
  memcpy(&hash, name.data(), std::min(sizeof hash, name.size()));
  // Hex digits leave most bits alone.
  return hash * 0x9e3779b97f4a7c15u ^ hash >> 29 ^ name.size();
}

OpenFiles::~OpenFiles() {
  for (OpenFile* file : byUse_) delete file;
}

void OpenFiles::add(std::string name, int fd, uint64_t sizeBytes, std::string etag, FileHeads heads, uint32_t disk) {
  const auto before = table_.find(name);
  if (before != table_.end()) retire(before->second);
  auto* file = new OpenFile(std::move(name), fd, sizeBytes, std::move(etag), std::move(heads), disk);
  file->owner_ = this;
  file->place_ = byUse_.insert(byUse_.end(), file);
  table_.emplace(file->name, file);
  open_++;
  trim();
}

OpenFile* OpenFiles::acquire(std::string_view name) {
  const auto found = table_.find(name);
  if (found == table_.end()) return nullptr;
  OpenFile* file = found->second;
  file->references_++;
  byUse_.splice(byUse_.end(), byUse_, file->place_);
  return file;
}

OpenFile* OpenFiles::acquire(OpenFile& file) {
  file.references_++;
  return &file;
}

void OpenFiles::release(OpenFile* file) {
  if (--file->references_ == 0 && file->forgotten_) retire(file);
}

void OpenFiles::forget(std::string_view file) {
  std::vector<OpenFile*> forms;
  for (OpenFile* each : byUse_)
    if (each->file() == file && !each->forgotten_) forms.push_back(each);
  for (OpenFile* each : forms) retire(each);
}

// Out of the table now, closed when nobody reads it.
void OpenFiles::retire(OpenFile* file) {
  if (!file->forgotten_) {
    file->forgotten_ = true;
    table_.erase(file->name);
  }
  if (file->references_ > 0) return;
  if (file->isDirty_) {
    left_.push_back({std::string(file->file()), file->served_});
    std::erase(dirty_, file);
  }
  byUse_.erase(file->place_);
  open_--;
  delete file;
}

void OpenFiles::trim() {
  for (auto at = byUse_.begin(); at != byUse_.end() && open_ > filesMax_;) {
    OpenFile* file = *at++;
    // The newest is what somebody waits for.
    if (file->references_ == 0 && file != byUse_.back()) retire(file);
  }
}

std::vector<OpenFiles::Served> OpenFiles::drainServed() {
  std::vector<Served> served = std::move(left_);
  left_.clear();
  for (OpenFile* file : dirty_) {
    served.push_back({std::string(file->file()), file->served_});
    file->served_ = {};
    file->isDirty_ = false;
  }
  dirty_.clear();
  return served;
}

}  // namespace nearcast
