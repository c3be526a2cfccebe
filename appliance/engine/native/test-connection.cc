// Tests of connection.h for what the fuzzed world never does: clients without an end, clients that take nothing.
// By `make test-connection` (ASan, UBSan).
#include <memory>
#include <string>
#include <utility>

#include "fuzz-world.h"

using namespace nearcast;

namespace {

const std::string name = contents[3].name();
const std::string file = "/v1/f/" + name + " HTTP/1.1\r\nHost: a\r\n";

// A kind world of one client, which may send the same again and again, and takes no more than there is room for.
class Client : public World {
 public:
  Client(Script& script, Shared& shared) : World(script, shared) {}
  std::string endless;
  size_t sentBytes = 0;
  size_t room = SIZE_MAX;
  bool more = false;

  ssize_t receive(Connection& connection, char* into, size_t bytes) override {
    const ssize_t got = World::receive(connection, into, bytes);
    if (got >= 0 || endless.empty() || sentBytes > 64 << 20) return got;
    size_t at = 0;
    for (; at + endless.size() <= bytes; at += endless.size()) memcpy(into + at, endless.data(), endless.size());
    sentBytes += at;
    return static_cast<ssize_t>(at);
  }
  ssize_t send(Connection& connection, std::string_view bytes, bool isMore) override {
    more = isMore;
    if (room == 0) return -EAGAIN;
    const ssize_t sent = World::send(connection, bytes.substr(0, room), isMore);
    room -= static_cast<size_t>(sent);
    return sent;
  }
};

struct Scene {
  explicit Scene(bool isTls = false) : script(""), shared(usualSettings(slots)), client(script, shared) {
    Grant grant;
    grant.token = "f";
    grant.expiresAtS = 100;
    grant.verifyAgainAtNs = UINT64_MAX;
    shared.grants.add(std::move(grant));
    shared.files.add(factsOf(contents[3]));
    connection = std::make_unique<Connection>(client, shared, Address{},
                                              isTls ? std::make_unique<PlainTls>(script, false) : nullptr);
  }
  ~Scene() {
    client.endless.clear();
    if (!client.isOver() && !client.isHandedOver) connection->cut();
  }
  void sends(const std::string& bytes) {
    client.arrived += bytes;
    connection->onEvent(true, true, false);
  }
  void runQueued() {
    while (client.takeQueued(*connection)) connection->run();
  }
  // What a thread has read comes back.
  uint32_t finishRead() {
    CHECK(client.reading);
    ReadJob job = *std::exchange(client.reading, {});
    job.data = client.lend(job.bytes);
    job.got = static_cast<uint32_t>(pread(job.file->get(), job.data.get(), job.bytes, static_cast<off_t>(job.offset)));
    const uint32_t bytes = job.bytes;
    connection->onRead(std::move(job));
    return bytes;
  }

  Script script;
  double slots[counterSize] = {};
  Shared shared;
  Client client;
  std::unique_ptr<Connection> connection;
};

void testTurnOfHeads() {
  Scene scene;
  const std::string head = "HEAD " + file + "X: ";
  scene.client.endless = head + std::string(252 - head.size(), 'x') + "\r\n\r\n";  // a whole number fits
  scene.connection->onEvent(true, true, false);
  CHECK(!scene.shared.queue.empty() && scene.client.sentBytes < 4 << 20);  // the others have their turn
  CHECK(scene.client.out.size() > 50'000);
}

void testTurnOfStream() {
  Scene scene(true);
  scene.sends("\x16POST /upload HTTP/1.1\r\n\r\n");
  scene.runQueued();
  CHECK(scene.client.isStream);
  scene.client.endless = "x";
  scene.connection->streamFlow(true);
  scene.client.takeQueued(*scene.connection);
  scene.connection->onEvent(true, true, false);
  CHECK(!scene.shared.queue.empty() && scene.client.sentBytes > 0 && scene.client.sentBytes <= 4 << 20);
}

// What JavaScript answers behind a request that the machine had begun to answer is not held back in the kernel.
void testStreamIsPrompt() {
  Scene scene(true);
  scene.sends("\x16GET " + file + "Range: bytes=280000-\r\n\r\n");
  scene.runQueued();
  CHECK(scene.client.isStream && scene.connection->state() == Connection::State::stream);
  scene.client.more = true;
  scene.connection->streamWrite("answer");
  scene.runQueued();
  CHECK(scene.client.out.ends_with("answer") && !scene.client.more);
}

// The client of TLS that has closed its side hears that ours is whole.
void testCloseNotify() {
  Scene scene(true);
  scene.sends("\x16GET " + file + "Range: bytes=0-4\r\n\r\n\x15");
  scene.runQueued();
  CHECK(scene.client.out.ends_with(std::string(bytesOf(contents[3]).substr(0, 5)) + "BYE"));
  CHECK(scene.client.isShut && scene.connection->state() == Connection::State::lingering);
}

// Memory of the disk's readers is not kept by who does not take it.
void testLentMemory() {
  Scene scene;
  scene.shared.probe = Probe::none;
  scene.client.room = 10'000;
  scene.sends("GET " + file + "\r\n");
  CHECK(scene.finishRead() == 280'000 && scene.client.lent == 1);
  scene.client.pass(500'000'000);
  scene.connection->onTick(scene.client.now);
  CHECK(scene.client.lent == 1);
  scene.client.pass(600'000'000);
  scene.connection->onTick(scene.client.now);
  CHECK(scene.client.lent == 0 && scene.connection->state() == Connection::State::sending);
  // It goes on where it was, in small parts that grow with what the client takes.
  scene.client.room = SIZE_MAX;
  scene.connection->onEvent(false, true, false);
  CHECK(scene.finishRead() == 65'536);
  CHECK(scene.finishRead() == 131'072);
  while (scene.client.reading) scene.finishRead();
  CHECK(scene.client.out.ends_with(bytesOf(contents[3])) && scene.client.lent == 0);
  CHECK(scene.connection->state() == Connection::State::reading);
}

}  // namespace

int main() {
  testTurnOfHeads();
  testTurnOfStream();
  testStreamIsPrompt();
  testCloseNotify();
  testLentMemory();
  return 0;
}
