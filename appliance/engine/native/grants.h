// Tokens that JavaScript has verified: who may read what, until when. Nothing is verified here.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "records.h"

namespace nearcast {

using Address = std::array<uint8_t, 16>;  // IPv4 as ::ffff:0:0/96

struct Prefix {
  Address address{};
  uint8_t lengthBits = 0;  // at most 128
  bool covers(const Address& client) const {
    const size_t bytes = lengthBits / 8;
    if (memcmp(address.data(), client.data(), bytes) != 0) return false;
    const unsigned rest = lengthBits % 8;
    return rest == 0 || (address[bytes] ^ client[bytes]) >> (8 - rest) == 0;
  }
};

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
// The files of a title, as `<file>.<ext>`; shared by the grants of all who watch it.
using Names = std::unordered_set<std::string, NameHash, std::equal_to<>>;
using Bundle = std::shared_ptr<const Names>;

struct Grant {
  std::string token;
  std::string bundleName;  // empty: every file
  Bundle bundle;
  std::vector<Prefix> clients;  // empty: anyone
  uint64_t expiresAtS = 0;
  uint64_t verifyAgainAtNs = 0;  // CLOCK_MONOTONIC
  Scope scope = Scope::play;

  bool allows(const Address& client) const {
    return clients.empty() || std::ranges::any_of(clients, [&](const Prefix& prefix) { return prefix.covers(client); });
  }
  bool covers(std::string_view name) const { return bundleName.empty() || (bundle && bundle->contains(name)); }
};

// At most `grantsMax`, beyond it the least recently used goes: its token is then verified once more.
class Grants {
 public:
  explicit Grants(size_t grantsMax) : grantsMax_(grantsMax) {}

  // A grant for a bundle that is not known covers nothing until the bundle is added.
  void add(Grant grant) {
    if (const auto before = table_.find(grant.token); before != table_.end()) erase(before->second);
    if (const auto bundle = bundles_.find(grant.bundleName); bundle != bundles_.end()) grant.bundle = bundle->second;
    byUse_.push_back(std::move(grant));
    table_.emplace(byUse_.back().token, std::prev(byUse_.end()));
    if (table_.size() > grantsMax_) erase(byUse_.begin());
  }
  void addBundle(const std::string& name, Names files) {
    if (bundles_.size() > unusedBundlesMax)
      std::erase_if(bundles_, [](const auto& entry) { return entry.second.use_count() == 1; });
    bundles_[name] = std::make_shared<const Names>(std::move(files));
    give(name, bundles_[name]);
  }
  void forgetBundle(const std::string& name) {
    bundles_.erase(name);
    give(name, nullptr);
  }
  bool hasBundle(const std::string& name) const { return bundles_.contains(name); }

  // nullptr where the token is unknown or is to be verified again. The pointer is good until the next change.
  const Grant* find(std::string_view token, uint64_t nowS, uint64_t nowNs) {
    const auto found = table_.find(token);
    if (found == table_.end()) return nullptr;
    const Entry entry = found->second;
    if (entry->expiresAtS <= nowS || entry->verifyAgainAtNs <= nowNs) return nullptr;
    if (!entry->bundleName.empty() && !entry->bundle) return nullptr;
    byUse_.splice(byUse_.end(), byUse_, entry);
    return &*entry;
  }
  // Whether it was let in before, however long ago: a session that a drain lets finish.
  bool isKnown(std::string_view token) const { return table_.contains(token); }
  void verifyAgain() {
    for (Grant& grant : byUse_) grant.verifyAgainAtNs = 0;
  }
  size_t size() const { return table_.size(); }

 private:
  static constexpr size_t unusedBundlesMax = 256;
  // The end of a token is its signature: as good as random, and only verified tokens are put in.
  struct TokenHash {
    size_t operator()(std::string_view token) const {
      return std::hash<std::string_view>()(token.substr(token.size() - std::min<size_t>(token.size(), 24)));
    }
  };
  using Entry = std::list<Grant>::iterator;
  void erase(Entry entry) {
    table_.erase(entry->token);
    byUse_.erase(entry);
  }
  void give(const std::string& name, const Bundle& bundle) {
    for (Grant& grant : byUse_)
      if (grant.bundleName == name) grant.bundle = bundle;
  }

  const size_t grantsMax_;
  std::list<Grant> byUse_;  // least recently used first
  std::unordered_map<std::string_view, Entry, TokenHash> table_;
  // Bundles that no grant refers to any more are dropped as new ones come.
  std::map<std::string, Bundle> bundles_;
};

}  // namespace nearcast
