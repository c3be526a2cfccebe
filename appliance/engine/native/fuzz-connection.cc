// Drives the machine of a connection through a world that is scripted by the input, and reads everything that came out
// of it. An input is what the client sends, then 0xf5, then the script; a file without a script is a kind world.
#include <algorithm>
#include <memory>
#include <utility>

#include "fuzz-transcript.h"
#include "fuzz-world.h"

using namespace nearcast;

namespace {

// --- driving ------------------------------------------------------------------------------------------

Settings settingsOf(Script& script, double* counters) {
  constexpr size_t turns[] = {2 << 20, 1000, 16384, 65536};
  Settings settings = usualSettings(counters);
  settings.turnBytes = turns[script.next(4)];
  settings.requestsMax = script.next(8) == 7 ? 0 : 4096;
  settings.minBytesPerSecond = script.next(2) * 1000;
  return settings;
}

// The bounds come after whether it is by TLS.
Settings bounded(Settings settings, Script& script) {
  settings.filesMax = 8u - script.next(8);
  settings.grantsMax = 8u - script.next(8);
  settings.recordsMax = script.next(8) == 7 ? 1 : 64;
  return settings;
}

class Run {
 public:
  Run(std::string_view sends, std::string_view script)
      : script_(script), sends_(sends), settings_(settingsOf(script_, slots_)), isTls_(script_.next(2) == 1),
        shared_(bounded(settings_, script_)), world_(script_, shared_) {
    shared_.probe = script_.next(2) == 1 ? Probe::none : Probe::mincore;
    if (script_.next(2) == 0) install();
    Address client{};
    client[10] = client[11] = 0xff;
    client[12] = 10;
    const bool isH2 = script_.next(32) == 31;
    connection_ = std::make_unique<Connection>(world_, shared_, client,
                                               isTls_ ? std::make_unique<PlainTls>(script_, isH2) : nullptr);
    if (isTls_ && script_.next(16) != 15) sends_.insert(0, "\x16");
  }

  void go() {
    for (unsigned steps = 0; !script_.isOver() && !isGone() && steps < 2000; steps++) act();
    script_.end();
    settle();
    if (!isGone()) checkSettled();
    if (!isGone() && !std::exchange(world_.isEof, true)) connection_->onEvent(true, false, false, true);
    settle();
    if (!isGone() && world_.isStream) connection_->streamFlow(true);
    settle();
    if (!isGone() && connection_->state() == Connection::State::stream) CHECK(world_.streamEnded);
    if (!isGone() && world_.isStream) connection_->streamEnd();
    settle();
    CHECK(isGone());
    finish();
  }

 private:
  bool isGone() const { return world_.isOver() || world_.isHandedOver; }

  void install() {
    for (const char* token : {"t", "f", "x"}) {
      Grant grant;
      grant.token = token;
      grant.bundleName = *token == 'f' ? "" : "b";
      grant.expiresAtS = 100;
      grant.verifyAgainAtNs = UINT64_MAX;
      grant.scope = *token == 'f' ? Scope::fill : Scope::play;
      if (*token == 'x') grant.clients.push_back({{}, 128});
      shared_.grants.add(std::move(grant));
    }
    Names names;
    for (const Content& each : contents) names.insert(each.name());
    shared_.grants.addBundle("b", std::move(names));
    for (const Content& each : contents) open(each);
  }

  void open(const Content& each) {
    shared_.files.add(factsOf(each));
  }

  void deliver() {
    if (sends_.empty()) return;
    const size_t bytes = script_.share(sends_.size());
    world_.arrived.append(sends_, 0, bytes);
    sends_.erase(0, bytes);
    // The end may come with the last bytes: the kernel then tells of both at once, and never again.
    if (sends_.empty()) world_.isEof |= script_.next(8) == 7;
    connection_->onEvent(true, false, false, world_.isEof);
  }

  void unblock() {
    if (!world_.isBlocked) return;
    world_.isBlocked = false;
    connection_->onEvent(false, true, false);
  }

  void decide() {
    if (!std::exchange(world_.isParked, false)) return;
    const uint8_t how = script_.next(4);
    if (how == 0) install();
    if (how == 1) open(contents[script_.next(4)]);
    connection_->decided(how < 3);
  }

  void finishRead() {
    if (!world_.reading) return;
    ReadJob job = *std::exchange(world_.reading, {});
    const uint8_t how = script_.next(8);
    if (how == 7) {
      job.error = EIO;
    } else {
      job.data = world_.lend(job.bytes);
      const size_t bytes = how == 6 ? 0 : how == 0 ? job.bytes : script_.share(job.bytes);
      job.got = static_cast<uint32_t>(pread(job.file->get(), job.data.get(), bytes, static_cast<off_t>(job.offset)));
    }
    connection_->onRead(std::move(job));
  }

  void runQueued() {
    if (world_.takeQueued(*connection_)) connection_->run();
  }

  void change() {
    switch (script_.next(8)) {
      case 0: return shared_.files.forget(std::string(64, contents[script_.next(4)].digit));
      case 1: return open(contents[script_.next(4)]);
      case 2:
      case 3: return shared_.grants.verifyAgain();
      case 4: return shared_.grants.forgetBundle("b");
      case 5: return install();
      case 6: shared_.admission = static_cast<Admission>(script_.next(3)); return;
      default:
        shared_.isDraining = script_.next(2) == 1;
        shared_.shedsFill = script_.next(2) == 1;
    }
  }

  void stream() {
    if (!world_.isStream) return;
    switch (script_.next(4)) {
      case 0:
        if (!isStreamEnded_) write(std::string(script_.next() * 10 + 1, 's'));
        return;
      case 1: return connection_->streamFlow(true);
      case 2: return connection_->streamFlow(false);
      default:
        isStreamEnded_ = true;
        return connection_->streamEnd();
    }
  }

  void write(const std::string& bytes) {
    written_ += bytes;
    connection_->streamWrite(bytes);
  }

  void act() {
    switch (script_.next(16)) {
      case 5: case 6: return unblock();
      case 7: return finishRead();
      case 8: return decide();
      case 9: return runQueued();
      case 10: return change();
      case 11: return stream();
      case 12:
        world_.pass(uint64_t{script_.next()} * 500'000'000);
        return connection_->onTick(world_.now);
      case 13:
        if (!sends_.empty() || script_.next(2) == 0) return connection_->onEvent(true, false, false, world_.isEof);
        world_.isEof = true;
        return connection_->onEvent(true, false, false, true);
      case 14:
        world_.isBroken |= script_.next(4) == 3;
        return connection_->onEvent(false, false, world_.isBroken);
      case 15:
        if (script_.next(8) == 7) return connection_->cut();
        return connection_->finish();
      default: return deliver();
    }
  }

  // Everything that can still happen does, and nothing goes wrong.
  void settle() {
    for (unsigned rounds = 0; !isGone(); rounds++) {
      CHECK(rounds < 100'000);
      if (!sends_.empty()) deliver();
      else if (world_.isBlocked) unblock();
      else if (world_.reading) finishRead();
      else if (world_.isParked) decide();
      else if (!shared_.queue.empty()) runQueued();
      else return;
    }
  }

  std::string receivedPlain() const {
    if (!isTls_) return world_.received;
    std::string plain, output;
    Script kind("");
    PlainTls(kind, false).receive(world_.received, plain, output);
    return plain;
  }

  // With a kind world nothing stays half done.
  void checkSettled() {
    using State = Connection::State;
    const State state = connection_->state();
    CHECK(state == State::reading || state == State::lingering || state == State::stream);
    CHECK(world_.arrived.empty() || state != State::reading || isTls_);
    if (state != State::reading) return;
    const std::string in = receivedPlain();
    const Transcript seen = Reader(world_.out, in, settings_, isTls_).read();
    CHECK(seen.begun == seen.whole && !seen.isLast);
    Request request;
    size_t scanned = 0;
    Reason reason;
    // What is left is not a request, nor what JavaScript would have to see.
    CHECK(parseRequest(std::string_view(in).substr(seen.answeredBytes), scanned, request, reason) ==
              ParseResult::incomplete || in.size() == seen.answeredBytes);
  }

  void finish() {
    if (world_.reading) {
      if (script_.next(2) == 1) world_.reading.reset();
      else finishRead();
    }
    const bool isTold = world_.isOver();
    connection_.reset();
    CHECK(world_.isOver() == isTold);
    checkBalance();
  }

  void checkBalance() {
    const std::string in = receivedPlain();
    const size_t outEnd = world_.isStream || world_.isHandedOver ? world_.outAtHandOver : world_.out.size();
    const Transcript seen = Reader(std::string_view(world_.out).substr(0, outEnd), in, settings_, isTls_).read();
    if (world_.isHandedOver) CHECK(world_.handed == in.substr(seen.answeredBytes) && outEnd == world_.out.size());
    if (world_.isStream) {
      CHECK(isPrefix(world_.handed, in.substr(seen.answeredBytes)));
      // What is left of the handshake may still stand before it.
      const std::string rest = world_.out.substr(outEnd);
      const std::string all = std::string("HSK").substr(std::min<size_t>(outEnd, 3)) + written_;
      CHECK(isPrefix(rest, all) || isPrefix(rest, all + "BYE"));
    }
    if (world_.isStream || world_.isHandedOver) CHECK(seen.begun == seen.whole && !seen.isLast);
    CHECK(shared_.counters.get(Counter::liveRequests) == 0 && shared_.counters.get(Counter::parked) == 0);
    CHECK(world_.lent == 0 && !world_.reading && !world_.isCorked);
    checkRecords(seen);
    for (const Content& each : contents) shared_.files.forget(std::string(64, each.digit));
    CHECK(shared_.files.size() == 0);
  }

  void checkRecords(const Transcript& seen) {
    const double counted = shared_.counters.get(Counter::bytesSent);
    CHECK(isTls_ ? counted <= static_cast<double>(seen.bodyBytes) : counted == static_cast<double>(seen.bodyBytes));
    double served = 0;
    for (const auto& [file, bytes] : shared_.files.drainServed())
      for (const uint64_t ofScope : bytes) served += static_cast<double>(ofScope);
    CHECK(served == counted);
    const uint64_t records = shared_.records.size() + shared_.records.dropped();
    // The last one may have been cut before any of it went out.
    CHECK(records >= seen.begun && records <= seen.begun + 1);
    std::string text(records * recordLineBytesMax + 1, '\0');
    std::vector<std::string> withCmcd;
    text.resize(shared_.records.drain(text.data(), text.size(), withCmcd));
    for (size_t i = 0; i < withCmcd.size(); i += 2) text += withCmcd[i];
    double sent = 0;
    for (size_t at = text.find("\"sent\":"); at != text.npos; at = text.find("\"sent\":", at + 1))
      sent += strtod(text.c_str() + at + 7, nullptr);
    if (shared_.records.dropped() == 0) CHECK(sent == counted);
  }

  Script script_;
  std::string sends_;
  double slots_[counterSize] = {};
  Settings settings_;
  const bool isTls_;
  Shared shared_;
  World world_;
  std::unique_ptr<Connection> connection_;
  std::string written_;
  bool isStreamEnded_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t mark = bytes.find('\xf5');
  Run(bytes.substr(0, mark), mark == bytes.npos ? "" : bytes.substr(mark + 1)).go();
  return 0;
}
