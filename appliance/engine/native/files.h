// Open files, by `<file>.<ext>`: what each answers with, who reads it, and what it has served.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "disk.h"
#include "records.h"

namespace nearcast {

// The header lines of its answers, each line with its CRLF; whatever depends on the request is appended.
struct FileHeads {
  std::string whole;
  std::string part;
  std::string notModified;
};

struct FileFacts {
  std::string name;
  std::shared_ptr<const Descriptor> fd;  // a thread that reads it keeps it open
  uint64_t sizeBytes = 0;
  std::string etag;
  FileHeads heads;
  uint32_t disk = 0;
};

struct ServedBytes {
  uint64_t play = 0;
  uint64_t fill = 0;
};

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
  bool isHot(uint64_t offset, uint64_t bytes, uint64_t nowMs, Probe probe);
  void sent(Scope scope, uint64_t bytes);
  // Its chunk list is served too, but does not count as the file.
  bool isContent() const { return ext() != "chunks"; }

 private:
  friend class OpenFiles;
  OpenFiles& owner_;
  bool isDirty_ = false;
  ServedBytes served_;
  std::vector<uint32_t> hotUntilS_;  // per MiB, Unix seconds
};

// The table. At most `filesMax` stay open; beyond it the idle ones go, least recently used first.
class OpenFiles {
 public:
  explicit OpenFiles(size_t filesMax) : filesMax_(filesMax) {}

  // What had the name before is forgotten.
  void add(FileFacts facts);
  bool has(std::string_view name) const { return table_.contains(name); }
  // nullptr where it is not open.
  std::shared_ptr<OpenFile> find(std::string_view name);
  // Every form of the file: `<file>.*`. Who reads it reads on.
  void forget(std::string_view file);
  size_t size() const { return open_; }

  struct Served {
    std::string file;
    ServedBytes bytes;
  };
  // What was served since the last call, of files that are closed by now too.
  std::vector<Served> drainServed();

 private:
  friend class OpenFile;
  using Entry = std::list<std::shared_ptr<OpenFile>>::iterator;
  struct Hash {
    // The names are hashes already.
    size_t operator()(std::string_view name) const;
  };
  void erase(Entry entry);

  const size_t filesMax_;
  size_t open_ = 0;
  std::vector<OpenFile*> dirty_;
  std::vector<Served> left_;  // of files that were closed
  std::list<std::shared_ptr<OpenFile>> byUse_;  // least recently used first
  std::unordered_map<std::string_view, Entry, Hash> table_;
};

}  // namespace nearcast
