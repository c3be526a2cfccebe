// The addon: a Server for JavaScript. Types and meaning of everything here are in ../native-addon.ts.
#include <fcntl.h>
#include <node_api.h>
#include <sys/mman.h>
#include <uv.h>

#include <cstring>

#include "loop.h"
#include "script.h"

namespace nearcast {
namespace {

Settings readSettings(Object from) {
  Settings settings;
#define NEARCAST_NUMBER(name) settings.name = from.get<uint64_t>(#name);
  NEARCAST_NUMBERS(NEARCAST_NUMBER)
#undef NEARCAST_NUMBER
  settings.connectionCounts = from.numbers<uint32_t>("connectionCounts");
  const auto counters = from.numbers<double>("counters");
  if (counters.size() != counterSize) throw std::invalid_argument("counters has the wrong length");
  settings.counters = counters.data();
  settings.refusals = from.get<std::vector<std::string>>("refusals");
  settings.timing = from.get<std::vector<std::string>>("timing");
  return settings;
}

// A server within Node's loop. A call keeps it, so that whoever is called back may destroy it.
struct Binding : std::enable_shared_from_this<Binding> {
  // The script keeps the options too, and with them the memory of what is counted.
  explicit Binding(Object options) : script(options.env, options.value), server(readSettings(options), script) {
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(options.env, &loop);
    uv_poll_init(loop, poll, server.pollFd());
    poll->data = this;
    uv_poll_start(poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
      const auto self = static_cast<Binding*>(handle->data)->shared_from_this();
      self->script.beginTurn();
      self->server.poll();
      self->script.endTurn();
    });
  }
  ~Binding() {
    // libuv lets go of its handle later than we do.
    uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* handle) {
      delete reinterpret_cast<uv_poll_t*>(handle);
    });
  }

  Script script;
  Server server;
  uv_poll_t* const poll = new uv_poll_t;
};
using Self = std::shared_ptr<Binding>;

// --- its methods ----------------------------------------------------------------------------------

constexpr auto listen = [](Self self, int fd) { return self->server.listen(fd); };
constexpr auto stopListening = [](Self self) { self->server.stopListening(); };
constexpr auto closeIdle = [](Self self) { self->server.closeIdle(); };
constexpr auto tick = [](Self self) { self->server.tick(); };
constexpr auto handedClosed = [](Self self, uint64_t id) { self->server.handedClosed(id); };

constexpr auto admit = [](Self self, uint32_t level, std::string why, bool shedFill) {
  Shared& shared = self->server.shared();
  shared.admission = static_cast<Admission>(level);
  shared.isDraining = why == "draining";
  shared.shedsFill = shedFill;
};

constexpr auto decide = [](Self self, uint64_t id, std::string decision) {
  self->server.decide(id, decision == "again");
};

constexpr auto grant = [](Self self, Object from) {
  Grant grant;
  grant.token = from.get<std::string>("token");
  const auto scope = from.get<std::string>("scope");
  grant.scope = scope == "fill" ? Scope::fill : scope == "picture" ? Scope::picture : Scope::play;
  grant.expiresAtS = from.get<uint64_t>("expiresAtS");
  grant.verifyAgainAtNs = self->server.nowNs() + from.get<uint64_t>("verifyAgainInMs") * 1'000'000;
  grant.bundleName = from.get<std::string>("bundle");
  for (const std::string_view prefix : from.get<std::vector<std::string_view>>("clients")) {
    Prefix& client = grant.clients.emplace_back();
    if (prefix.size() != sizeof client) throw std::invalid_argument("a prefix has 17 bytes");
    memcpy(&client, prefix.data(), sizeof client);
  }
  self->server.shared().grants.add(std::move(grant));
};

constexpr auto bundle = [](Self self, std::string name, std::vector<std::string> files) {
  self->server.shared().grants.addBundle(std::move(name), Names(files.begin(), files.end()));
};
constexpr auto forgetBundle = [](Self self, std::string name) { self->server.shared().grants.forgetBundle(name); };
constexpr auto forgetGrants = [](Self self) { self->server.shared().grants.verifyAgain(); };

constexpr auto has = [](Self self, std::string what, std::string name) {
  Shared& shared = self->server.shared();
  return what == "bundle" ? shared.grants.hasBundle(name) : shared.files.has(name);
};

constexpr auto open = [](Self self, Object from) {
  FileFacts facts;
  facts.name = from.get<std::string>("file") + "." + from.get<std::string>("ext");
  facts.fd = std::make_shared<Descriptor>(checked(fcntl(from.get<int>("fd"), F_DUPFD_CLOEXEC, 0)));
  facts.sizeBytes = from.get<uint64_t>("sizeBytes");
  facts.etag = from.get<std::string>("etag");
  facts.whole = from.get<std::string>("whole");
  facts.part = from.get<std::string>("part");
  facts.notModified = from.get<std::string>("notModified");
  facts.disk = from.get<uint32_t>("disk");
  self->server.shared().files.add(std::move(facts));
};
constexpr auto forgetFile = [](Self self, std::string file) { self->server.shared().files.forget(file); };

constexpr auto setTls = [](Self self, Object from) {
  TlsSettings settings;
  for (const Object& each : from.get<std::vector<Object>>("certificates"))
    settings.certificates.push_back({each.get<std::vector<std::string>>("names"), each.get<std::string>("chainPem"),
                                     each.get<std::string>("keyPem")});
  settings.ticketKeys = from.get<TicketKeys>("ticketKeys");
  settings.h2 = from.get<bool>("h2");
  self->server.tls = settings.certificates.empty() ? nullptr : makeTlsContext(settings);
};

constexpr auto setTicketKeys = [](Self self, TicketKeys keys) {
  if (self->server.tls) nearcast::setTicketKeys(*self->server.tls, keys);
};

constexpr auto setAddressKey = [](Self self, std::string key) {
  self->server.shared().addressKey = std::move(key);
  self->server.shared().addressKeys++;
};

constexpr auto drainRecords = [](Self self, std::string_view out) {
  const napi_env env = self->script.env;
  std::vector<std::string> withCmcd;
  const size_t bytes = self->server.shared().records.drain(const_cast<char*>(out.data()), out.size(), withCmcd);
  std::vector<napi_value> result{to(env, bytes)};
  for (const std::string& text : withCmcd) result.push_back(to(env, text));
  return result;
};

constexpr auto drainServed = [](Self self) {
  const napi_env env = self->script.env;
  std::vector<napi_value> list;
  for (const auto& [file, bytes] : self->server.shared().files.drainServed())
    list.insert(list.end(), {to(env, file), to(env, bytes[0]), to(env, bytes[1]), to(env, bytes[2])});
  return list;
};

// What is asked of a stream is done in the next turn, never while JavaScript is being called.
template <typename Work>
void onStream(Binding& self, uint64_t id, Work work) {
  if (Connection* connection = self.server.find(id)) work(*connection);
  self.server.wake();
}

constexpr auto streamWrite = [](Self self, uint64_t id, std::string_view bytes) {
  onStream(*self, id, [&](Connection& stream) { stream.streamWrite(bytes); });
};
constexpr auto streamRead = [](Self self, uint64_t id, bool flowing) {
  onStream(*self, id, [&](Connection& stream) { stream.streamFlow(flowing); });
};
constexpr auto streamEnd = [](Self self, uint64_t id) {
  onStream(*self, id, [](Connection& stream) { stream.streamEnd(); });
};
constexpr auto streamDestroy = [](Self self, uint64_t id) {
  onStream(*self, id, [](Connection& stream) { stream.cut(); });
};

void letGo(napi_env, void* wrapped, void*) {
  const std::unique_ptr<Self> self(static_cast<Self*>(wrapped));
  (*self)->script.isSilent = true;
}

napi_value destroy(napi_env env, napi_callback_info info) {
  napi_value self = nullptr;
  void* wrapped = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, &self, nullptr);
  if (napi_remove_wrap(env, self, &wrapped) == napi_ok) letGo(env, wrapped, nullptr);
  return nullptr;
}

constexpr auto createServer = [](Object options) {
  const napi_env env = options.env;
  auto self = std::make_unique<Self>(std::make_shared<Binding>(options));
  napi_value object = nullptr;
  napi_create_object(env, &object);
  napi_wrap(env, object, self.release(), letGo, nullptr, nullptr);
#define METHOD(name) {#name, call<name>}
  define(env, object,
         {METHOD(listen),       METHOD(stopListening), METHOD(closeIdle),    METHOD(tick),        METHOD(admit),
          METHOD(decide),       METHOD(handedClosed),  METHOD(grant),        METHOD(bundle),      METHOD(forgetBundle),
          METHOD(forgetGrants), METHOD(has),           METHOD(open),         METHOD(forgetFile),  METHOD(setTls),
          METHOD(setTicketKeys), METHOD(setAddressKey), METHOD(drainRecords), METHOD(drainServed), METHOD(streamWrite),
          METHOD(streamRead),   METHOD(streamEnd),     METHOD(streamDestroy), {"destroy", destroy}});
  return object;
};

// --- what needs no server -------------------------------------------------------------------------

constexpr auto dropCached = [](int fd) {
  errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  checked(errno == 0 ? 0 : -1);
};

constexpr auto makeShared = [] { return checked(memfd_create("nearcast", MFD_CLOEXEC)); };

// The length goes along as the hint, to be unmapped with.
void unmapShared(napi_env, void* memory, void* bytes) { munmap(memory, reinterpret_cast<size_t>(bytes)); }

constexpr auto mapShared = [](Object of) {
  const int fd = of.get<int>("fd");
  const auto bytes = of.get<size_t>("bytes");
  checked(ftruncate(fd, static_cast<off_t>(bytes)));
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  checked(memory == MAP_FAILED ? -1 : 0);
  napi_value buffer = nullptr;
  const auto hint = reinterpret_cast<void*>(bytes);
  if (napi_create_external_buffer(of.env, bytes, memory, unmapShared, hint, &buffer) == napi_ok) return buffer;
  munmap(memory, bytes);
  throw std::bad_alloc();
};

napi_value init(napi_env env, napi_value exports) {
  define(env, exports, {METHOD(createServer), METHOD(dropCached), METHOD(makeShared), METHOD(mapShared)});
#undef METHOD
  return exports;
}

}  // namespace

NAPI_MODULE(nearcast_engine, init)

}  // namespace nearcast
