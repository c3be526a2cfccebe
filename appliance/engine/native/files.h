// Open files, by `<file>.<ext>`: what each answers with, who reads it, and what it has served.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
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

struct ServedBytes {
  uint64_t play = 0;
  uint64_t fill = 0;
};

class OpenFiles;

class OpenFile {
 public:
  OpenFile(std::string name, int fd, uint64_t sizeBytes, std::string etag, FileHeads heads, uint32_t disk);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  std::string_view file() const { return std::string_view(name).substr(0, 64); }
  std::string_view ext() const { return std::string_view(name).substr(65); }

  // Whether the range can be sent without waiting for the disk. What was found whole in memory is taken to stay there
  // for a moment, so that a hot file costs a system call a second and not one per request.
  bool isHot(uint64_t offset, uint64_t bytes, uint64_t nowMs, Probe probe);
  void sent(Scope scope, uint64_t bytes);
  // Its chunk list is served too, but does not count as the file.
  bool isContent() const { return ext() != "chunks"; }

  const std::string name;
  const int fd;
  const uint64_t sizeBytes;
  const std::string etag;
  const FileHeads heads;
  const uint32_t disk;

 private:
  friend class OpenFiles;
  OpenFiles* owner_ = nullptr;
  uint32_t references_ = 0;
  bool forgotten_ = false;
  bool isDirty_ = false;
  ServedBytes served_;
  std::vector<uint32_t> hotUntilS_;  // per MiB, Unix seconds
  std::list<OpenFile*>::iterator place_;
};

// The table. At most `filesMax` stay open; beyond it the idle ones go, least recently used first.
class OpenFiles {
 public:
  explicit OpenFiles(size_t filesMax) : filesMax_(filesMax) {}
  ~OpenFiles();

  // Takes the descriptor over. What had the name before is forgotten.
  void add(std::string name, int fd, uint64_t sizeBytes, std::string etag, FileHeads heads, uint32_t disk);
  bool has(std::string_view name) const { return table_.contains(name); }
  // Finds and references; nullptr where it is not open.
  OpenFile* acquire(std::string_view name);
  OpenFile* acquire(OpenFile& file);  // once more
  void release(OpenFile* file);
  // Every form of the file: `<file>.*`.
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
  struct Hash {
    using is_transparent = void;
    // The names are hashes already.
    size_t operator()(std::string_view name) const;
  };
  void retire(OpenFile* file);
  void trim();

  const size_t filesMax_;
  size_t open_ = 0;
  std::unordered_map<std::string_view, OpenFile*, Hash> table_;
  std::list<OpenFile*> byUse_;  // least recently used first
  std::vector<OpenFile*> dirty_;
  std::vector<Served> left_;  // of files that were closed
};

}  // namespace nearcast
