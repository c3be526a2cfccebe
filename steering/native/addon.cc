// The addon: functions for JavaScript. Types and meaning of everything here are in ../native-addon.ts.
#include <errno.h>
#include <node_api.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include <cstring>
#include <memory>

#include "datagrams.h"
#include "front.h"

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

// The memory of a batch; without slots where it does not fit together.
Slots slotsOf(napi_env env, napi_value memory) {
  size_t packets = 0, replies = 0, packetLengths = 0, replyLengths = 0, senders = 0;
  Slots slots{};
  slots.packets = view(env, memory, "packets", packets);
  slots.replies = view(env, memory, "replies", replies);
  slots.packetLengths = reinterpret_cast<int32_t*>(view(env, memory, "packetLengths", packetLengths));
  slots.replyLengths = reinterpret_cast<int32_t*>(view(env, memory, "replyLengths", replyLengths));
  slots.senders = view(env, memory, "senders", senders);
  slots.count = senders / senderBytes;
  if (slots.count == 0 || packetLengths != slots.count * 4 || replyLengths != slots.count * 4 ||
      packets % slots.count != 0 || replies % slots.count != 0 || packets == 0 || replies == 0)
    return Slots{};
  slots.packetBytes = packets / slots.count;
  slots.replyBytes = replies / slots.count;
  return slots;
}

napi_value open(napi_env env, napi_callback_info info) {
  size_t given = 2;
  napi_value arguments[2];
  napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr);
  const Slots slots = slotsOf(env, arguments[1]);
  if (slots.count == 0) return fail(env, EINVAL);
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

napi_value named(napi_env env, napi_value object, const char* name) {
  napi_value found = nullptr;
  napi_get_named_property(env, object, name, &found);
  return found;
}

// A front within Node's loop. A call keeps it, so that whoever is called back may destroy it.
class FrontBinding final : public Asker, public std::enable_shared_from_this<FrontBinding> {
 public:
  FrontBinding(napi_env env, napi_value options, const Slots& slots)
      : env_(env),
        front_(slots,
               {static_cast<size_t>(intOf(env, named(env, options, "connectionsMax"))),
                static_cast<uint64_t>(intOf(env, named(env, options, "idleMs")))},
               *this) {
    napi_create_reference(env, options, 1, &options_);
    napi_value name = nullptr;
    napi_create_string_utf8(env, "nearcast-front", NAPI_AUTO_LENGTH, &name);
    napi_async_init(env, options, name, &context_);
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    uv_poll_init(loop, poll_, front_.pollFd());
    poll_->data = this;
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int, int) {
      const auto self = static_cast<FrontBinding*>(handle->data)->shared_from_this();
      self->front_.poll();
    });
  }
  ~FrontBinding() override {
    // libuv lets go of its handle later than we do.
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) {
      delete reinterpret_cast<uv_poll_t*>(handle);
    });
    napi_async_destroy(env_, context_);
    napi_delete_reference(env_, options_);
  }

  void answer(size_t count) override { call("answer", {static_cast<int>(count)}); }
  void handOver(int fd, size_t slot) override { call("handOver", {fd, static_cast<int>(slot)}); }
  Front& front() { return front_; }

 private:
  void call(const char* name, std::initializer_list<int> numbers) {
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    napi_value options = nullptr;
    napi_get_reference_value(env_, options_, &options);
    napi_value given[2];
    size_t count = 0;
    for (const int each : numbers) given[count++] = number(env_, each);
    napi_make_callback(env_, context_, options, named(env_, options, name), count, given, nullptr);
    // A callback that throws is a bug: it ends the process as any uncaught error does, and is not lost.
    bool hasThrown = false;
    napi_is_exception_pending(env_, &hasThrown);
    if (hasThrown) {
      napi_value error = nullptr;
      napi_get_and_clear_last_exception(env_, &error);
      napi_fatal_exception(env_, error);
    }
    napi_close_handle_scope(env_, scope);
  }

  const napi_env env_;
  napi_ref options_ = nullptr;
  napi_async_context context_ = nullptr;
  uv_poll_t* const poll_ = new uv_poll_t;
  Front front_;
};

using FrontHolder = std::shared_ptr<FrontBinding>;

FrontHolder frontOf(napi_env env, napi_callback_info info, napi_value* argument = nullptr) {
  size_t count = argument == nullptr ? 0 : 1;
  napi_value self = nullptr;
  void* wrapped = nullptr;
  napi_get_cb_info(env, info, &count, argument, &self, nullptr);
  return napi_unwrap(env, self, &wrapped) == napi_ok ? *static_cast<FrontHolder*>(wrapped) : nullptr;
}

napi_value frontListen(napi_env env, napi_callback_info info) {
  napi_value fd = nullptr;
  const FrontHolder held = frontOf(env, info, &fd);
  const int port = held == nullptr ? -EBADF : held->front().listen(intOf(env, fd));
  return port < 0 ? fail(env, -port) : number(env, port);
}

template <void (Front::*method)()>
napi_value frontCall(napi_env env, napi_callback_info info) {
  if (const FrontHolder held = frontOf(env, info)) (held->front().*method)();
  return nullptr;
}

void letGo(napi_env, void* wrapped, void*) { delete static_cast<FrontHolder*>(wrapped); }

napi_value frontDestroy(napi_env env, napi_callback_info info) {
  if (const FrontHolder held = frontOf(env, info)) held->front().stop();
  napi_value self = nullptr;
  void* wrapped = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, &self, nullptr);
  if (napi_remove_wrap(env, self, &wrapped) == napi_ok) letGo(env, wrapped, nullptr);
  return nullptr;
}

napi_value createFront(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value options = nullptr;
  napi_get_cb_info(env, info, &count, &options, nullptr, nullptr);
  const Slots slots = slotsOf(env, options);
  if (slots.count == 0) return fail(env, EINVAL);
  napi_value object = nullptr;
  napi_create_object(env, &object);
  auto* holder = new FrontHolder(std::make_shared<FrontBinding>(env, options, slots));
  napi_wrap(env, object, holder, letGo, nullptr, nullptr);
  const napi_property_descriptor methods[] = {
      {"listen", nullptr, frontListen, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"tick", nullptr, frontCall<&Front::tick>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"drain", nullptr, frontCall<&Front::drain>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"destroy", nullptr, frontDestroy, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, object, sizeof methods / sizeof *methods, methods);
  return object;
}

// Pages of 2 MiB for memory that is read in no order: without them most reads wait for the page table too.
napi_value preferLargePages(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value array = nullptr;
  napi_get_cb_info(env, info, &count, &array, nullptr, nullptr);
  napi_typedarray_type type;
  size_t bytes = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(env, array, &type, &bytes, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array) return fail(env, EINVAL);
  constexpr uintptr_t page = uintptr_t{2} << 20;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) & ~(page - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) & ~(page - 1);
  bool isTaken = false;
  if (begin < end) {
    constexpr int collapse = 25;  // MADV_COLLAPSE, Linux 6.1: what is there is moved at once
    void* const from = reinterpret_cast<void*>(begin);
    isTaken = madvise(from, end - begin, MADV_HUGEPAGE) == 0;
    isTaken = madvise(from, end - begin, collapse) == 0 && isTaken;
  }
  napi_value taken = nullptr;
  napi_get_boolean(env, isTaken, &taken);
  return taken;
}

}  // namespace

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"bind", nullptr, bindFrom, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"portOf", nullptr, portFrom, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"close", nullptr, closeFrom, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"open", nullptr, open, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"createFront", nullptr, createFront, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"preferLargePages", nullptr, preferLargePages, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}

}  // namespace nearcast
