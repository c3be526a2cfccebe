#include "script.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <utility>

#include "values.h"

namespace nearcast {

Script::Script(napi_env env, napi_value callbacks) : env_(env) {
  napi_create_reference(env, callbacks, 1, &callbacks_);
  napi_async_init(env, to(env, Properties{}), to(env, std::string_view("nearcast-engine")), &context_);
}

Script::~Script() {
  napi_async_destroy(env_, context_);
  napi_delete_reference(env_, callbacks_);
}

void Script::enter() {
  if (!isTurn_ || scope_ != nullptr) return;
  napi_open_handle_scope(env_, &handles_);
  napi_open_callback_scope(env_, to(env_, Properties{}), context_, &scope_);
}

void Script::endTurn() {
  isTurn_ = false;
  if (scope_ == nullptr) return;
  napi_close_callback_scope(env_, std::exchange(scope_, nullptr));
  napi_close_handle_scope(env_, handles_);
}

void Script::callback(const char* name, const std::vector<napi_value>& arguments) {
  if (isSilent) return;
  napi_value callbacks = nullptr;
  napi_get_reference_value(env_, callbacks_, &callbacks);
  const napi_value function = Object{env_, callbacks}.at(name);
  if (napi_call_function(env_, callbacks, function, arguments.size(), arguments.data(), nullptr) == napi_ok) return;
  // A callback that throws is a bug: it ends the process as any uncaught error does, and is not lost.
  napi_value error = nullptr;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

template <typename... Values>
void Script::tell(const char* name, Values... values) {
  enter();
  callback(name, {to(env_, values)...});
}

void Script::park(uint64_t id, const Request& request, const std::string& client) {
  enter();
  tell("park", to(env_, {{"id", to(env_, id)},
                         {"token", to(env_, request.token)},
                         {"file", to(env_, request.file)},
                         {"ext", to(env_, request.ext)},
                         {"client", to(env_, client)}}));
}

void Script::handOver(int fd, std::string_view bytes, uint64_t id) {
  enter();
  tell("handOver", to(env_, {{"fd", to(env_, fd)}, {"id", to(env_, id)}}), Bytes{bytes});
}

void Script::beginStream(uint64_t id, std::string_view bytes, const Connection& connection,
                             const std::string& client) {
  enter();
  tell("handOverStream",
       to(env_, {{"id", to(env_, id)},
                 {"client", to(env_, client)},
                 {"port", to(env_, connection.port)},
                 {"tls", to(env_, std::string_view(connection.tls()->version()))},
                 {"isH2", to(env_, connection.tls()->isH2())}}),
       Bytes{bytes});
}

void Script::streamData(uint64_t id, std::string_view bytes, bool isEnd) {
  if (isEnd)
    tell("streamData", id);
  else
    tell("streamData", id, Bytes{bytes});
}

void Script::streamDrained(uint64_t id, bool isBroken) { tell("streamDrained", id, isBroken); }

void Script::streamClosed(uint64_t id) { tell("streamClosed", id); }

void Script::fileFailed(const OpenFile& file, int error) {
  enter();
  tell("fileFailed",
       to(env_, {{"file", to(env_, file.file())}, {"ext", to(env_, file.ext())}, {"errno", to(env_, error)}}));
}

void Script::recordsWaiting() { tell("recordsWaiting"); }

// ADR 6: an address leaves as an HMAC under a key that is gone after a day.
uint64_t Script::pseudonym(const Address& address) {
  if (addressKey.empty()) return 0;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const int keySize = static_cast<int>(addressKey.size());
  HMAC(EVP_sha256(), addressKey.data(), keySize, address.data(), address.size(), digest, &size);
  uint64_t first = 0;
  memcpy(&first, digest, sizeof first);
  return __builtin_bswap64(first);
}

}  // namespace nearcast
