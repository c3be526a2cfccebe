#include "grants.h"

#include <algorithm>
#include <cstring>

namespace nearcast {
namespace {

constexpr size_t unusedBundlesMax = 256;

}  // namespace

bool Prefix::covers(const Address& client) const {
  const size_t bytes = lengthBits / 8;
  if (memcmp(address.data(), client.data(), bytes) != 0) return false;
  const unsigned rest = lengthBits % 8;
  return rest == 0 || (address[bytes] ^ client[bytes]) >> (8 - rest) == 0;
}

bool Grant::allows(const Address& client) const {
  return clients.empty() || std::ranges::any_of(clients, [&](const Prefix& prefix) { return prefix.covers(client); });
}

size_t Grants::TokenHash::operator()(std::string_view token) const {
  const std::string_view end = token.substr(token.size() - std::min<size_t>(token.size(), 24));
  return std::hash<std::string_view>()(end);
}

void Grants::add(Grant grant) {
  const auto before = table_.find(grant.token);
  if (before != table_.end()) erase(before->second);
  const auto bundle = bundles_.find(grant.bundleName);
  if (bundle != bundles_.end()) grant.bundle = bundle->second;
  byUse_.push_back(std::move(grant));
  table_.emplace(byUse_.back().token, std::prev(byUse_.end()));
  if (table_.size() > grantsMax_) erase(byUse_.begin());
}

void Grants::addBundle(std::string name, Names files) {
  if (bundles_.size() > unusedBundlesMax)
    std::erase_if(bundles_, [](const auto& entry) { return entry.second.use_count() == 1; });
  auto bundle = std::make_shared<const Names>(std::move(files));
  for (Grant& grant : byUse_)
    if (grant.bundleName == name) grant.bundle = bundle;
  bundles_.insert_or_assign(std::move(name), std::move(bundle));
}

void Grants::forgetBundle(std::string_view name) {
  const auto found = bundles_.find(name);
  if (found == bundles_.end()) return;
  bundles_.erase(found);
  for (Grant& grant : byUse_)
    if (grant.bundleName == name) grant.bundle.reset();
}

const Grant* Grants::find(std::string_view token, uint64_t nowS, uint64_t nowNs) {
  const auto found = table_.find(token);
  if (found == table_.end()) return nullptr;
  const Entry entry = found->second;
  if (entry->expiresAtS <= nowS || entry->verifyAgainAtNs <= nowNs) return nullptr;
  if (!entry->bundleName.empty() && !entry->bundle) return nullptr;
  byUse_.splice(byUse_.end(), byUse_, entry);
  return &*entry;
}

void Grants::verifyAgain() {
  for (Grant& grant : byUse_) grant.verifyAgainAtNs = 0;
}

void Grants::erase(Entry entry) {
  table_.erase(entry->token);
  byUse_.erase(entry);
}

}  // namespace nearcast
