// The addon: functions for JavaScript. Types and meaning of everything here are in ../native-addon.ts.
#include <errno.h>
#include <node_api.h>
#include <unistd.h>

#include <cstring>

#include "datagrams.h"

namespace nearcast {
namespace {

napi_value fail(napi_env env, int number) {
  napi_throw_error(env, strerrorname_np(number), strerror(number));
  return nullptr;
}

napi_value number(napi_env env, int value) {
  napi_value made = nullptr;
  napi_create_int32(env, value, &made);
  return made;
}

int32_t intOf(napi_env env, napi_value value) {
  int32_t number = -1;
  napi_get_value_int32(env, value, &number);
  return number;
}

napi_value bindFrom(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value given[3];
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
  char host[64] = "";
  size_t length = 0;
  if (napi_get_value_string_latin1(env, given[0], host, sizeof host, &length) != napi_ok) return fail(env, EINVAL);
  const int fd = bindSocket(host, static_cast<uint16_t>(intOf(env, given[1])), intOf(env, given[2]));
  return fd < 0 ? fail(env, -fd) : number(env, fd);
}

napi_value portFrom(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value given[1];
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
  const int port = portOf(intOf(env, given[0]));
  return port < 0 ? fail(env, -port) : number(env, port);
}

napi_value closeFrom(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value given[1];
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
  if (close(intOf(env, given[0])) != 0) return fail(env, errno);
  return nullptr;
}

// An open socket: the memory that it works on stays as long as it does.
struct Binding {
  Datagrams datagrams;
  napi_ref memory;
};

napi_value exchange(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  const int count = static_cast<Binding*>(data)->datagrams.exchange();
  return count < 0 ? fail(env, -count) : number(env, count);
}

// The bytes of an ArrayBuffer view that is named, and how many they are.
uint8_t* view(napi_env env, napi_value object, const char* name, size_t& bytes) {
  napi_value found = nullptr;
  napi_get_named_property(env, object, name, &found);
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, found, &type, &length, &data, nullptr, nullptr) != napi_ok) data = nullptr;
  bytes = data == nullptr ? 0 : type == napi_int32_array ? length * 4 : length;
  return static_cast<uint8_t*>(data);
}

napi_value open(napi_env env, napi_callback_info info) {
  size_t given = 2;
  napi_value arguments[2];
  napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr);
  size_t packets = 0, replies = 0, packetLengths = 0, replyLengths = 0, senders = 0;
  Slots slots{};
  slots.packets = view(env, arguments[1], "packets", packets);
  slots.replies = view(env, arguments[1], "replies", replies);
  slots.packetLengths = reinterpret_cast<int32_t*>(view(env, arguments[1], "packetLengths", packetLengths));
  slots.replyLengths = reinterpret_cast<int32_t*>(view(env, arguments[1], "replyLengths", replyLengths));
  slots.senders = view(env, arguments[1], "senders", senders);
  slots.count = senders / senderBytes;
  if (slots.count == 0 || packetLengths != slots.count * 4 || replyLengths != slots.count * 4 ||
      packets % slots.count != 0 || replies % slots.count != 0 || packets == 0 || replies == 0)
    return fail(env, EINVAL);
  slots.packetBytes = packets / slots.count;
  slots.replyBytes = replies / slots.count;
  auto* binding = new Binding{Datagrams(intOf(env, arguments[0]), slots), nullptr};
  napi_create_reference(env, arguments[1], 1, &binding->memory);
  napi_value function = nullptr;
  napi_create_function(env, "exchange", NAPI_AUTO_LENGTH, exchange, binding, &function);
  const auto finalize = [](napi_env of, void* data, void*) {
    auto* done = static_cast<Binding*>(data);
    napi_delete_reference(of, done->memory);
    delete done;
  };
  napi_add_finalizer(env, function, binding, finalize, nullptr, nullptr);
  return function;
}

}  // namespace

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"bind", nullptr, bindFrom, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"portOf", nullptr, portFrom, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"close", nullptr, closeFrom, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"open", nullptr, open, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}

}  // namespace nearcast
