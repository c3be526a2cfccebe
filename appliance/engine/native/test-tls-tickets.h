// For test-tls: resumption, by tickets alone.
#pragma once

#include <stdexcept>
#include <string>

#include "test-tls-client.h"

namespace {

struct Visit {
  bool isResumed = false;
  SSL_SESSION* ticket = nullptr;  // the last one that was given
  size_t tickets = 0;
};

std::string ticketOf(const SSL_SESSION* session) {
  const unsigned char* ticket = nullptr;
  size_t bytes = 0;
  if (session != nullptr) SSL_SESSION_get0_ticket(session, &ticket, &bytes);
  return {reinterpret_cast<const char*>(ticket), bytes};
}

Visit visit(const std::shared_ptr<TlsContext>& context, int version, SSL_SESSION* with, const std::string& name = "") {
  Client client({.version = version, .name = name, .resume = with});
  Server session(context);
  CHECK(handshake(session, client) == TlsState::ok);
  exchange(session, client);
  Visit result{session->isResumed, SSL_get1_session(client.ssl), client.sessions.size()};
  CHECK(result.isResumed == (SSL_session_reused(client.ssl) == 1));
  // OpenSSL tells nobody of a TLS 1.2 ticket that is renewed.
  if (version == TLS1_2_VERSION) result.tickets = ticketOf(result.ticket) != ticketOf(with);
  return result;
}

void testTickets(int version) {
  const bool isNew = version == TLS1_3_VERSION;
  const auto context = contextOf(settings());
  const Visit start = visit(context, version, nullptr);
  CHECK(!start.isResumed && start.tickets == 1);
  const Visit again = visit(context, version, start.ticket);
  // TLS 1.3 clients use a ticket once; in TLS 1.2 the one they have stays good.
  CHECK(again.isResumed && again.tickets == (isNew ? 1 : 0));

  // Another worker, and one that started later, with the same keys and another certificate.
  auto other = settings();
  other.certificates = {ecdsa("renewed.example.org")};
  const Visit elsewhere = visit(contextOf(other), version, start.ticket);
  CHECK(elsewhere.isResumed);

  // Rotated: the old key is accepted, and brings a ticket of the new one.
  setTicketKeys(*context, {ticketKey('b'), ticketKey('a')});
  const Visit renewed = visit(context, version, start.ticket);
  CHECK(renewed.isResumed && renewed.tickets == 1);
  // Gone: a whole handshake, not a failure.
  setTicketKeys(*context, {ticketKey('c'), ticketKey('b')});
  const Visit late = visit(context, version, start.ticket);
  CHECK(!late.isResumed && late.tickets == 1);
  const Visit onTime = visit(context, version, renewed.ticket);
  CHECK(onTime.isResumed);

  // The same name of a key with another secret: somebody else's.
  auto foreign = settings();
  foreign.ticketKeys[0][20] ^= 1;
  const Visit signedElse = visit(contextOf(foreign), version, start.ticket);
  CHECK(!signedElse.isResumed);
  // Keys of its own where none are given.
  foreign.ticketKeys.clear();
  const auto own = contextOf(foreign);
  const Visit alone = visit(own, version, start.ticket);
  const Visit aloneAgain = visit(own, version, alone.ticket);
  CHECK(!alone.isResumed && aloneAgain.isResumed);

  bool isRefused = false;
  try {
    setTicketKeys(*context, {ticketKey('a'), "short"});
  } catch (const std::invalid_argument&) {
    isRefused = true;
  }
  CHECK(isRefused);
  const Visit unchanged = visit(context, version, renewed.ticket);
  CHECK(unchanged.isResumed);
  for (const Visit& each : {start, again, elsewhere, renewed, late, onTime, signedElse, alone, aloneAgain,
                            unchanged}) {
    SSL_SESSION_free(each.ticket);
  }
}

void testTicketsByName() {
  auto from = settings();
  from.certificates.push_back(ecdsa("two.example.org"));
  const auto context = contextOf(from);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Visit start = visit(context, version, nullptr, "two.example.org");
    const Visit again = visit(context, version, start.ticket, "two.example.org");
    CHECK(!start.isResumed && again.isResumed);
    SSL_SESSION_free(start.ticket);
    SSL_SESSION_free(again.ticket);
  }
}

}  // namespace
