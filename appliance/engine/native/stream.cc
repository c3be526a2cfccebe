#include <errno.h>

#include <utility>

#include "connection.h"

// A connection that JavaScript goes on with: a stream of plaintext over our TLS.

namespace nearcast {

Connection::Step Connection::runStream() {
  if (std::exchange(streamWaits_, false)) {
    host_.streamDrained(*this, false);
    return later();
  }
  if (streamEnding_) return linger();
  if (inputEnded_ && flowing_ && !std::exchange(endTold_, true)) {
    host_.streamData(*this, {});
    return Step::again;
  }
  if (!flowing_ || !canRead_ || inputEnded_) return Step::wait;
  if (turnLeft_ == 0) return later();
  std::string_view bytes;
  const ssize_t result = receive(bytes);
  if (result < 0) return result == -EAGAIN ? Step::wait : end();
  if (state_ != State::stream) return Step::again;
  movedNs_ = host_.nowNs();
  if (!bytes.empty()) host_.streamData(*this, bytes);
  return Step::again;
}

void Connection::streamWrite(std::string_view bytes) {
  if (state_ != State::stream) return;
  streamWaits_ = true;
  if (bytes.empty() || tls_->encrypt(bytes, output_))
    later();
  else
    end();
}

void Connection::streamFlow(bool flowing) {
  flowing_ = flowing;
  if (flowing && state_ == State::stream) later();
}

void Connection::streamEnd() {
  streamEnding_ = true;
  if (state_ == State::stream) later();
}

}  // namespace nearcast
