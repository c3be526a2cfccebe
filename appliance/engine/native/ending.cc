#include <errno.h>

#include <algorithm>
#include <utility>

#include "connection.h"

// How a connection ends: by itself, by its client, or because its time is over.

namespace nearcast {
namespace {

constexpr uint64_t msNs = 1'000'000;
constexpr uint64_t lingerMs = 2000;
constexpr uint64_t lentNsMax = 1'000'000'000;

}  // namespace

// The client went away.
Connection::Step Connection::gone() {
  if (answer_.file != nullptr) shared_.counters.add(Counter::cutClient);
  return end();
}

void Connection::finish() {
  finishing_ = true;
  if (state_ == State::reading && input_.empty()) end();
}

Connection::Step Connection::linger() {
  state_ = State::lingering;
  movedNs_ = host_.nowNs();
  return Step::again;
}

// RFC 9112 §9.6: after the last answer, read on until the client closes, or it might lose the answer by a reset.
Connection::Step Connection::runLinger() {
  if (tls_ && !std::exchange(isNotified_, true)) {
    tls_->shutdown(output_);
    return Step::again;
  }
  if (!std::exchange(isShut_, true)) host_.shutdownWrite(*this);
  if (!canRead_) return Step::wait;
  if (turnLeft_ == 0) return later();
  const ssize_t count = host_.receive(*this, shared_.input.get(), inputBytes);
  canRead_ = count != -EAGAIN;
  if (count <= 0) return canRead_ ? end() : Step::wait;
  charge(static_cast<size_t>(count));
  return Step::again;
}

void Connection::onTick(uint64_t nowNs) {
  const Settings& settings = shared_.settings;
  const uint64_t stillMs = nowNs > movedNs_ ? (nowNs - movedNs_) / msNs : 0;
  // What a stream waits for may be its next request.
  uint64_t mostMs = std::max(settings.idleTimeoutMs, settings.keepAliveTimeoutMs);
  if (state_ == State::sending) mostMs = settings.idleTimeoutMs;
  if (state_ == State::lingering) mostMs = lingerMs;
  if (state_ == State::reading)
    mostMs = isKnown_ && input_.empty() ? settings.keepAliveTimeoutMs : settings.headersTimeoutMs;
  bool isSlow = false;
  const uint64_t windowMs = (nowNs - windowNs_) / msNs;
  if (state_ == State::sending && windowMs > settings.idleTimeoutMs) {
    isSlow = windowBytes_ < settings.minBytesPerSecond * windowMs / 1000;
    windowNs_ = nowNs;
    windowBytes_ = 0;
  }
  // The readers' memory is for all: who is slow to take it gives it back, and has it read again in smaller parts.
  if (nowNs > lentNs_ + lentNsMax) dropCold();
  if (state_ == State::over || (stillMs <= mostMs && !isSlow)) return;
  if (state_ == State::reading && !input_.empty()) {
    refuse(Refusal::timeout, false);
    return run();
  }
  if (state_ == State::reading && !isKnown_) shared_.counters.add(Counter::timeoutHeaders);
  if (state_ != State::reading && state_ != State::lingering)
    shared_.counters.add(stillMs > mostMs ? Counter::cutIdle : Counter::cutSlow);
  end();
}

// Run again after the others had their turn.
Connection::Step Connection::later() {
  if (!std::exchange(isQueued, true)) shared_.queue.push_back(id);
  return Step::wait;
}

Connection::Step Connection::end() {
  if (state_ == State::over) return Step::wait;
  if (state_ == State::parked) {
    shared_.counters.add(Counter::liveRequests, -1);
    shared_.counters.add(Counter::parked, -1);
  }
  const bool wasStream = state_ == State::stream;
  state_ = State::over;
  leave(true);
  if (wasStream && streamWaits_) host_.streamDrained(*this, true);
  shared_.over.push_back(id);
  return Step::wait;
}

}  // namespace nearcast
