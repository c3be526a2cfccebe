// The addon: a Server for JavaScript. Types and meaning of everything here are in ../native-addon.ts.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <node_api.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cstdio>
#include <cstring>

#include "loop.h"
#include "script.h"
#include "values.h"

namespace nearcast {
namespace {

// The memory of a Float64Array of the right length, or nullptr.
double* countersOf(napi_env env, napi_value array) {
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_float64_array || length != counterSize)
    throw ScriptError{"EINVAL", "counters is not a Float64Array of the right length"};
  return static_cast<double*>(data);
}

ServerOptions readOptions(Object from) {
  const auto number = [&](const char* key) { return from.get<uint64_t>(key); };
  const Object canned = from.get<Object>("canned");
  ServerOptions options;
  Settings& settings = options.settings;
  settings.headersTimeoutMs = number("headersTimeoutMs");
  settings.keepAliveTimeoutMs = number("keepAliveTimeoutMs");
  settings.idleTimeoutMs = number("idleTimeoutMs");
  settings.minBytesPerSecond = number("minBytesPerSecond");
  settings.turnBytes = number("turnBytes");
  settings.requestsMax = number("requestsMax");
  settings.overloaded = canned.get<std::string>("overloaded");
  settings.draining = canned.get<std::string>("draining");
  settings.timeout = canned.get<std::string>("timeout");
  settings.timing = from.get<std::vector<std::string>>("timing");
  options.connectionsMax = from.get<uint32_t>("connectionsMax");
  options.connectionsPerAddressMax = from.get<uint32_t>("connectionsPerAddressMax");
  options.paceBytesPerSecond = number("paceBytesPerSecond");
  options.filesMax = number("filesMax");
  options.grantsMax = number("grantsMax");
  options.recordsMax = number("recordsMax");
  options.readThreadsPerDisk = from.get<unsigned>("readThreadsPerDisk");
  options.readMemoryBytes = number("readMemoryBytes");
  options.counters = countersOf(from.env, from.at("counters"));
  if (!from.has("capsFd")) return options;
  options.capsFd = from.get<int>("capsFd");
  options.workers = from.get<unsigned>("workers");
  options.worker = from.get<unsigned>("worker");
  return options;
}

// A server within Node's loop.
struct Binding {
  Binding(Object options, Object callbacks)
      : script(options.env, callbacks.value), server(readOptions(options), script) {
    napi_create_reference(options.env, options.at("counters"), 1, &counters);
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(options.env, &loop);
    uv_poll_init(loop, &handles->poll, server.pollFd());
    uv_timer_init(loop, &handles->timer);
    handles->poll.data = handles->timer.data = this;
    uv_poll_start(&handles->poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
      static_cast<Binding*>(handle->data)->turn(&Server::poll);
    });
    const auto tick = [](uv_timer_t* handle) { static_cast<Binding*>(handle->data)->turn(&Server::tick); };
    uv_timer_start(&handles->timer, tick, 500, 500);
    uv_unref(reinterpret_cast<uv_handle_t*>(&handles->timer));
  }
  ~Binding() {
    // libuv lets go of its handles later than we do.
    uv_poll_stop(&handles->poll);
    handles->poll.data = handles->timer.data = handles;
    const auto closed = [](uv_handle_t* handle) {
      auto* both = static_cast<Handles*>(handle->data);
      if (--both->open == 0) delete both;
    };
    uv_close(reinterpret_cast<uv_handle_t*>(&handles->timer), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&handles->poll), closed);
    napi_delete_reference(script.env(), counters);
  }
  void turn(void (Server::*work)()) {
    const Use use(*this);
    script.beginTurn();
    (server.*work)();
    script.endTurn();
  }

  // Whoever is called back may destroy the server: it goes when the last call into it has returned.
  struct Use {
    explicit Use(Binding& binding) : binding(binding) { binding.uses++; }
    ~Use() {
      if (--binding.uses == 0 && binding.script.isSilent) delete &binding;
    }
    Use(const Use&) = delete;
    Binding& binding;
  };
  void destroy() {
    const Use use(*this);
    script.isSilent = true;
  }

  struct Handles {
    uv_poll_t poll;
    uv_timer_t timer;
    int open = 2;
  };
  Script script;
  Server server;
  napi_ref counters = nullptr;
  unsigned uses = 0;
  Handles* handles = new Handles;
};

// --- its methods ----------------------------------------------------------------------------------

constexpr auto listen = [](Binding& self, int fd) {
  if (!self.server.listen(fd)) throw SystemError{errno};
};

constexpr auto stopListening = [](Binding& self) { self.server.stopListening(); };
constexpr auto closeIdle = [](Binding& self) { self.server.closeIdle(); };
constexpr auto handedClosed = [](Binding& self, uint64_t id) { self.server.handedClosed(id); };

constexpr auto admit = [](Binding& self, uint32_t level, std::string why, bool shedFill) {
  Shared& shared = self.server.shared();
  shared.admission = static_cast<Admission>(level);
  shared.isDraining = why == "draining";
  shared.shedsFill = shedFill;
};

constexpr auto decide = [](Binding& self, uint64_t id, std::string decision) {
  self.server.decide(id, decision == "again");
  self.server.settle();
};

constexpr auto grant = [](Binding& self, Object from) {
  Grant grant;
  grant.token = from.get<std::string>("token");
  grant.scope = from.get<std::string>("scope") == "fill" ? Scope::fill : Scope::play;
  grant.expiresAtS = from.get<uint64_t>("expiresAtS");
  grant.verifyAgainAtNs = self.server.nowNs() + from.get<uint64_t>("verifyAgainInMs") * 1'000'000;
  if (from.has("bundle")) grant.bundleName = from.get<std::string>("bundle");
  if (from.has("clients")) {
    for (const std::string& text : from.get<std::vector<std::string>>("clients"))
      if (!parsePrefix(text, grant.clients.emplace_back())) throw SystemError{EINVAL};
  }
  self.server.shared().grants.add(std::move(grant));
};

constexpr auto bundle = [](Binding& self, std::string name, std::vector<std::string> files) {
  self.server.shared().grants.addBundle(std::move(name), Names(files.begin(), files.end()));
};
constexpr auto forgetBundle = [](Binding& self, std::string name) { self.server.shared().grants.forgetBundle(name); };
constexpr auto forgetGrants = [](Binding& self) { self.server.shared().grants.verifyAgain(); };

constexpr auto has = [](Binding& self, std::string what, std::string name) {
  Shared& shared = self.server.shared();
  return what == "bundle" ? shared.grants.hasBundle(name) : shared.files.has(name);
};

constexpr auto open = [](Binding& self, Object from) {
  const Object heads = from.get<Object>("heads");
  const int fd = fcntl(from.get<int>("fd"), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) throw SystemError{errno};
  FileHeads lines{heads.get<std::string>("whole"), heads.get<std::string>("part"),
                  heads.get<std::string>("notModified")};
  self.server.shared().files.add(from.get<std::string>("file") + "." + from.get<std::string>("ext"), fd,
                                 from.get<uint64_t>("sizeBytes"), from.get<std::string>("etag"), std::move(lines),
                                 from.get<uint32_t>("disk"));
};
constexpr auto forgetFile = [](Binding& self, std::string file) { self.server.shared().files.forget(file); };

constexpr auto setTls = [](Binding& self, Object from) {
  if (!from.isObject()) return self.server.setTls(nullptr);
  TlsSettings settings;
  for (const Object& each : from.get<std::vector<Object>>("certificates"))
    settings.certificates.push_back({each.get<std::vector<std::string>>("names"), each.get<std::string>("chainPem"),
                                     each.get<std::string>("keyPem")});
  settings.ticketKeys = from.get<TicketKeys>("ticketKeys");
  settings.h2 = from.get<bool>("h2");
  std::string error;
  auto context = TlsContext::make(settings, error);
  if (!context) throw ScriptError{"ERR_TLS", error};
  self.server.setTls(std::move(context));
};

constexpr auto setTicketKeys = [](Binding& self, TicketKeys keys) {
  TlsContext* const tls = self.server.tls();
  if (tls != nullptr && !tls->setTicketKeys(keys)) throw ScriptError{"EINVAL", "a ticket key has 80 bytes"};
};

constexpr auto setAddressKey = [](Binding& self, std::string key) {
  self.script.addressKey = std::move(key);
  self.server.shared().addressKey++;
};

constexpr auto drainRecords = [](Binding& self, std::string_view out) {
  napi_env env = self.script.env();
  std::vector<RecordRing::WithCmcd> apart;
  const size_t bytes = self.server.shared().records.drain(const_cast<char*>(out.data()), out.size(), apart);
  std::vector<napi_value> withCmcd;
  for (const auto& [line, cmcd] : apart)
    withCmcd.push_back(to(env, {{"line", to(env, line)}, {"cmcd", to(env, cmcd)}}));
  return to(env, {{"bytes", to(env, bytes)}, {"withCmcd", to(env, withCmcd)}});
};

constexpr auto drainServed = [](Binding& self) {
  napi_env env = self.script.env();
  std::vector<napi_value> list;
  for (const auto& [file, bytes] : self.server.shared().files.drainServed())
    list.insert(list.end(), {to(env, file), to(env, bytes.play), to(env, bytes.fill)});
  return list;
};

// What is asked of a stream is done in the next turn, never while JavaScript is being called.
template <typename Work>
void onStream(Binding& self, uint64_t id, Work work) {
  if (Connection* connection = self.server.find(id)) work(*connection);
  self.server.wake();
}

constexpr auto streamWrite = [](Binding& self, uint64_t id, std::string_view bytes) {
  onStream(self, id, [&](Connection& stream) { stream.streamWrite(bytes); });
};
constexpr auto streamRead = [](Binding& self, uint64_t id, bool flowing) {
  onStream(self, id, [&](Connection& stream) { stream.streamFlow(flowing); });
};
constexpr auto streamEnd = [](Binding& self, uint64_t id) {
  onStream(self, id, [](Connection& stream) { stream.streamEnd(); });
};
constexpr auto streamDestroy = [](Binding& self, uint64_t id) {
  onStream(self, id, [](Connection& stream) { stream.cut(); });
};

napi_value destroy(napi_env env, napi_callback_info info) {
  napi_value self = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, &self, nullptr);
  void* binding = nullptr;
  if (napi_remove_wrap(env, self, &binding) == napi_ok) static_cast<Binding*>(binding)->destroy();
  return nullptr;
}

constexpr auto createServer = [](napi_env& env, Object options, Object callbacks) {
  napi_value object = to(env, Properties{});
  auto binding = std::make_unique<Binding>(options, callbacks);
  const auto finalize = [](napi_env, void* data, void*) { static_cast<Binding*>(data)->destroy(); };
  napi_wrap(env, object, binding.release(), finalize, nullptr, nullptr);
#define METHOD(name) {#name, nullptr, invoke<Binding, name>, nullptr, nullptr, nullptr, napi_default, nullptr}
  const napi_property_descriptor methods[] = {
      METHOD(listen),       METHOD(stopListening), METHOD(closeIdle),   METHOD(admit),         METHOD(decide),
      METHOD(handedClosed), METHOD(grant),         METHOD(bundle),      METHOD(forgetBundle),  METHOD(forgetGrants),
      METHOD(has),          METHOD(open),          METHOD(forgetFile),  METHOD(setTls),        METHOD(setTicketKeys),
      METHOD(setAddressKey), METHOD(drainRecords), METHOD(drainServed), METHOD(streamWrite),   METHOD(streamRead),
      METHOD(streamEnd),    METHOD(streamDestroy),
      {"destroy", nullptr, destroy, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
#undef METHOD
  napi_define_properties(env, object, std::size(methods), methods);
  return object;
};

// --- sockets, and what they are counted in --------------------------------------------------------

// One socket for both: IPv4 addresses have an IPv4 socket, so that 0.0.0.0 and :: mean what they mean elsewhere.
union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

constexpr auto listenSocket = [](napi_env&, Object from) {
  const std::string host = from.get<std::string>("host");
  const bool isIpv6 = host.find(':') != host.npos;
  SocketAddress at{};
  at.any.sa_family = isIpv6 ? AF_INET6 : AF_INET;
  at.v4.sin_port = htons(from.get<uint16_t>("port"));
  void* const bytes = isIpv6 ? static_cast<void*>(&at.v6.sin6_addr) : &at.v4.sin_addr;
  if (inet_pton(at.any.sa_family, host.c_str(), bytes) != 1) throw SystemError{EINVAL};
  const int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw SystemError{errno};
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (from.get<bool>("reusePort")) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (bind(fd, &at.any, isIpv6 ? sizeof at.v6 : sizeof at.v4) == 0 && ::listen(fd, from.get<int>("backlog")) == 0)
    return fd;
  const int error = errno;
  close(fd);
  throw SystemError{error};
};

constexpr auto boundAddress = [](napi_env& env, int fd) {
  SocketAddress at{};
  socklen_t size = sizeof at;
  if (getsockname(fd, &at.any, &size) != 0) throw SystemError{errno};
  char text[INET6_ADDRSTRLEN] = {};
  const bool isIpv6 = at.any.sa_family == AF_INET6;
  inet_ntop(at.any.sa_family, isIpv6 ? static_cast<void*>(&at.v6.sin6_addr) : &at.v4.sin_addr, text, sizeof text);
  return to(env, {{"host", to(env, std::string_view(text))}, {"port", to(env, ntohs(at.v4.sin_port))}});
};

constexpr auto closeSocket = [](napi_env&, int fd) { close(fd); };

constexpr auto dropCached = [](napi_env&, int fd) {
  if (const int error = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) throw SystemError{error};
};

constexpr auto makeCaps = [](napi_env&, unsigned workers) {
  const int fd = Caps::make(workers);
  if (fd < 0) throw SystemError{errno};
  return fd;
};

napi_value init(napi_env env, napi_value exports) {
  const napi_node_version* node = nullptr;
  napi_get_node_version(env, &node);
  char running[32];
  snprintf(running, sizeof running, "%u.%u.%u", node->major, node->minor, node->patch);
  // OpenSSL promises no stable binary interface, and Node no stable OpenSSL: nothing else will do.
  if (strcmp(running, BUILT_FOR_NODE) != 0) {
    napi_throw_error(env, "ERR_RUNTIME", "the addon was built for Node " BUILT_FOR_NODE);
    return nullptr;
  }
  const std::string_view versions[] = {BUILT_FOR_NODE, BUILT_FOR_OPENSSL};
  const napi_value builtFor = to(env, {{"node", to(env, versions[0])}, {"openssl", to(env, versions[1])}});
  napi_set_named_property(env, exports, "builtFor", builtFor);
#define FUNCTION(name) {#name, nullptr, call<name>, nullptr, nullptr, nullptr, napi_default, nullptr}
  const napi_property_descriptor functions[] = {FUNCTION(createServer), FUNCTION(listenSocket), FUNCTION(boundAddress),
                                                FUNCTION(closeSocket), FUNCTION(dropCached), FUNCTION(makeCaps)};
#undef FUNCTION
  napi_define_properties(env, exports, std::size(functions), functions);
  return exports;
}

}  // namespace

NAPI_MODULE(nearcast_engine, init)

}  // namespace nearcast
