// Tests of grants.h. By `make test-grants` (ASan, UBSan).
#include "grants.h"
#include "test-check.h"

#include <stdio.h>
#include <stdlib.h>

using namespace nearcast;

namespace {

constexpr uint64_t nowS = 1000;
constexpr uint64_t nowNs = 5'000'000;

Grant grantFor(std::string token, std::string bundle = "") {
  Grant grant;
  grant.token = std::move(token);
  grant.bundleName = std::move(bundle);
  grant.expiresAtS = nowS + 1;
  grant.verifyAgainAtNs = nowNs + 1;
  return grant;
}

void testTimes() {
  Grants grants(8);
  grants.add(grantFor("token-of-a-viewer"));
  CHECK(grants.find("token-of-a-viewer", nowS, nowNs) != nullptr);
  CHECK(grants.find("token-of-a-viewer", nowS + 1, nowNs) == nullptr);  // expired
  CHECK(grants.find("token-of-a-viewer", nowS, nowNs + 1) == nullptr);  // to be verified again
  CHECK(grants.find("token-of-a-viewe", nowS, nowNs) == nullptr);
  CHECK(grants.find("", nowS, nowNs) == nullptr);
  grants.verifyAgain();
  CHECK(grants.find("token-of-a-viewer", nowS, nowNs) == nullptr);
  CHECK(grants.isKnown("token-of-a-viewer"));  // a drain lets it finish
  grants.add(grantFor("token-of-a-viewer"));
  CHECK(grants.find("token-of-a-viewer", nowS, nowNs) != nullptr);
  CHECK(grants.size() == 1);
}

void testBound() {
  Grants grants(3);
  for (const char* token : {"a", "b", "c"}) grants.add(grantFor(token));
  CHECK(grants.find("a", nowS, nowNs) != nullptr);  // used last now
  grants.add(grantFor("d"));
  CHECK(grants.size() == 3);
  CHECK(grants.isKnown("a") && !grants.isKnown("b") && grants.isKnown("c") && grants.isKnown("d"));
}

void testBundles() {
  Grants grants(8);
  grants.add(grantFor("viewer", "film"));
  CHECK(grants.find("viewer", nowS, nowNs) == nullptr);  // of a bundle that is not known
  grants.addBundle("film", {"1.mp4", "1.chunks"});
  const Grant* grant = grants.find("viewer", nowS, nowNs);
  CHECK(grant != nullptr && grant->covers("1.mp4") && !grant->covers("1.m4a") && !grant->covers("2.mp4"));
  grants.forgetBundle("film");
  CHECK(!grants.hasBundle("film") && grants.find("viewer", nowS, nowNs) == nullptr);
  grants.add(grantFor("box"));
  CHECK(grants.find("box", nowS, nowNs)->covers("2.mp4"));  // fills read everything
}

void testClients() {
  Grant grant = grantFor("viewer");
  const Address v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 23};
  const Address v6{0x20, 0x01, 0x0d, 0xb8, 0, 0x0a};
  CHECK(grant.allows(v4) && grant.allows(v6));
  grant.clients.push_back({v4, 96 + 25});
  CHECK(grant.allows(v4) && !grant.allows(v6));
  Address other = v4;
  other[15] = 127;
  CHECK(grant.allows(other));
  other[15] = 128;
  CHECK(!grant.allows(other));
  grant.clients.push_back({v6, 48});
  CHECK(grant.allows(v6));
}

}  // namespace

int main() {
  testTimes();
  testBound();
  testBundles();
  testClients();
}
