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
  if (isIdle()) end();
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
  switch (state_) {
    case State::reading:
      if (!input_.empty() && stillMs > settings.headersTimeoutMs) {
        refuse(settings.timeout, false);
        run();
      } else if (stillMs > (isKnown_ && input_.empty() ? settings.keepAliveTimeoutMs : settings.headersTimeoutMs)) {
        if (!isKnown_) shared_.counters.add(Counter::timeoutHeaders);
        end();
      }
      return;
    case State::lingering:
      if (stillMs > lingerMs) end();
      return;
    case State::sending: {
      // The readers' memory is for all: who is slow to take it gives it back, and has it read again in smaller parts.
      if (nowNs > lentNs_ + lentNsMax) dropCold();
      const uint64_t windowMs = (nowNs - windowNs_) / msNs;
      const bool isStill = stillMs > settings.idleTimeoutMs;
      const bool isSlow = windowMs > settings.idleTimeoutMs &&
                          windowBytes_ < settings.minBytesPerSecond * windowMs / 1000;
      if (windowMs > settings.idleTimeoutMs) windowNs_ = nowNs, windowBytes_ = 0;
      if (!isStill && !isSlow) return;
      shared_.counters.add(isStill ? Counter::cutIdle : Counter::cutSlow);
      end();
      return;
    }
    case State::parked:
    case State::disk:
    case State::stream:
      // What a stream waits for may be its next request.
      if (stillMs <= std::max(settings.idleTimeoutMs, settings.keepAliveTimeoutMs)) return;
      shared_.counters.add(Counter::cutIdle);
      end();
      return;
    case State::over:
      return;
  }
}

Connection::Step Connection::later() {
  host_.runLater(*this);
  return Step::wait;
}

Connection::Step Connection::end() {
  if (state_ == State::over) return Step::wait;
  if (state_ == State::parked) {
    shared_.live--;
    shared_.counters.add(Counter::parked, -1);
  }
  const bool wasStream = state_ == State::stream;
  state_ = State::over;
  leave(true);
  if (wasStream && streamWaits_) host_.streamDrained(*this, true);
  host_.over(*this);
  return Step::wait;
}

}  // namespace nearcast
