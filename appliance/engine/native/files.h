// Open files, by `<file>.<ext>`: what each answers with, who reads it, and what it has served.
#pragma once

#include <algorithm>
#include <array>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "disk.h"
#include "records.h"

namespace nearcast {

struct FileFacts {
  std::string name;
  std::shared_ptr<const Descriptor> fd;  // a thread that reads it keeps it open
  uint64_t sizeBytes = 0;
  uint32_t disk = 0;
  std::string etag;
  // Status and header lines of its answers, each with its CRLF; whatever depends on the request is appended.
  std::string whole;
  std::string part;
  std::string notModified;
};

using ServedBytes = std::array<uint64_t, scopeCount>;  // by scope

class OpenFiles;

// Closed when nobody reads it any more.
class OpenFile : public FileFacts {
 public:
  OpenFile(OpenFiles& owner, FileFacts facts);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;

  std::string_view file() const { return std::string_view(name).substr(0, 64); }
  std::string_view ext() const { return std::string_view(name).substr(65); }

  // Whether the range can be sent without waiting for the disk. What was found whole in memory is taken to stay there
  // for a moment, so that a hot file costs a system call a second and not one per request.
  bool isHot(uint64_t offset, uint64_t bytes, uint64_t nowMs, Probe probe) {
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
  void sent(Scope scope, uint64_t bytes);
  // Its chunk list is served too, but does not count as the file.
  bool isContent() const { return ext() != "chunks"; }

 private:
  static constexpr uint64_t chunkBytes = 1 << 20;
  static constexpr uint32_t hotS = 2;  // one to two seconds, as the clock falls
  friend class OpenFiles;
  OpenFiles& owner_;
  bool isDirty_ = false;
  ServedBytes served_{};
  std::vector<uint32_t> hotUntilS_;  // per MiB, Unix seconds
};

// The table. At most `filesMax` stay open; beyond it the idle ones go, least recently used first.
class OpenFiles {
 public:
  explicit OpenFiles(size_t filesMax) : filesMax_(filesMax) {}

  // What had the name before is forgotten.
  void add(FileFacts facts) {
    if (const auto before = table_.find(facts.name); before != table_.end()) erase(before->second);
    byUse_.push_back(std::make_shared<OpenFile>(*this, std::move(facts)));
    const Entry newest = std::prev(byUse_.end());
    table_.emplace((*newest)->name, newest);
    // The newest is what somebody waits for.
    for (Entry at = byUse_.begin(); at != newest && open_ > filesMax_;)
      if (const Entry each = at++; each->use_count() == 1) erase(each);
  }
  bool has(std::string_view name) const { return table_.contains(name); }
  // nullptr where it is not open.
  std::shared_ptr<OpenFile> find(std::string_view name) {
    const auto found = table_.find(name);
    if (found == table_.end()) return nullptr;
    byUse_.splice(byUse_.end(), byUse_, found->second);
    return *found->second;
  }
  // Every form of the file: `<file>.*`. Who reads it reads on.
  void forget(std::string_view file) {
    for (Entry at = byUse_.begin(); at != byUse_.end();)
      if (const Entry each = at++; (*each)->file() == file) erase(each);
  }
  size_t size() const { return open_; }

  using Served = std::pair<std::string, ServedBytes>;  // by file
  // What was served since the last call, of files that are closed by now too.
  std::vector<Served> drainServed() {
    std::vector<Served> served = std::exchange(left_, {});
    for (OpenFile* const file : std::exchange(dirty_, {})) {
      served.push_back({std::string(file->file()), std::exchange(file->served_, {})});
      file->isDirty_ = false;
    }
    return served;
  }

 private:
  friend class OpenFile;
  using Entry = std::list<std::shared_ptr<OpenFile>>::iterator;
  void erase(Entry entry) {
    table_.erase((*entry)->name);
    byUse_.erase(entry);
  }

  const size_t filesMax_;
  size_t open_ = 0;
  std::vector<OpenFile*> dirty_;
  std::vector<Served> left_;                    // of files that were closed
  std::list<std::shared_ptr<OpenFile>> byUse_;  // least recently used first
  std::unordered_map<std::string_view, Entry> table_;
};

inline OpenFile::OpenFile(OpenFiles& owner, FileFacts facts)
    : FileFacts(std::move(facts)), owner_(owner), hotUntilS_(sizeBytes / chunkBytes + 1) {
  owner_.open_++;
}

inline OpenFile::~OpenFile() {
  owner_.open_--;
  if (!isDirty_) return;
  owner_.left_.push_back({std::string(file()), served_});
  std::erase(owner_.dirty_, this);
}

inline void OpenFile::sent(Scope scope, uint64_t bytes) {
  served_[static_cast<size_t>(scope)] += bytes;
  if (!std::exchange(isDirty_, true)) owner_.dirty_.push_back(this);
}

}  // namespace nearcast
