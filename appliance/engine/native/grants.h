// Tokens that JavaScript has verified: who may read what, until when. Nothing is verified here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "records.h"

namespace nearcast {

using Address = std::array<uint8_t, 16>;  // IPv4 as ::ffff:0:0/96

struct Prefix {
  Address address{};
  uint8_t lengthBits = 0;  // at most 128
  bool covers(const Address& client) const;
};

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Names = std::unordered_set<std::string, NameHash, std::equal_to<>>;

// The files of a title, as `<file>.<ext>`; shared by the grants of all who watch it.
using Bundle = std::shared_ptr<const Names>;

struct Grant {
  std::string token;
  std::string bundleName;  // empty: every file
  Bundle bundle;
  std::vector<Prefix> clients;  // empty: anyone
  uint64_t expiresAtS = 0;
  uint64_t verifyAgainAtNs = 0;  // CLOCK_MONOTONIC
  Scope scope = Scope::play;

  bool allows(const Address& client) const;
  bool covers(std::string_view name) const { return bundleName.empty() || (bundle && bundle->contains(name)); }
};

// At most `grantsMax`, beyond it the least recently used goes: its token is then verified once more.
class Grants {
 public:
  explicit Grants(size_t grantsMax) : grantsMax_(grantsMax) {}

  // A grant for a bundle that is not known covers nothing until the bundle is added.
  void add(Grant grant);
  void addBundle(std::string name, Names files);
  void forgetBundle(std::string_view name);
  bool hasBundle(std::string_view name) const { return bundles_.contains(name); }

  // nullptr where the token is unknown or is to be verified again. The pointer is good until the next change.
  const Grant* find(std::string_view token, uint64_t nowS, uint64_t nowNs);
  // Whether it was let in before, however long ago: a session that a drain lets finish.
  bool isKnown(std::string_view token) const { return table_.contains(token); }
  void verifyAgain();
  size_t size() const { return table_.size(); }

 private:
  // The end of a token is its signature: as good as random, and only verified tokens are put in.
  struct TokenHash {
    using is_transparent = void;
    size_t operator()(std::string_view token) const;
  };
  using Entry = std::list<Grant>::iterator;
  void erase(Entry entry);

  const size_t grantsMax_;
  std::list<Grant> byUse_;  // least recently used first
  std::unordered_map<std::string_view, Entry, TokenHash> table_;
  // Bundles that no grant refers to any more are dropped as new ones come.
  std::unordered_map<std::string, Bundle, NameHash, std::equal_to<>> bundles_;
};

}  // namespace nearcast
