// JavaScript as the loop sees it: the callbacks, by name.
#pragma once

#include <utility>

#include "values.h"

namespace nearcast {

class Script {
 public:
  Script(napi_env of, napi_value callbacks) : env(of) {
    napi_create_reference(env, callbacks, 1, &callbacks_);
    napi_async_init(env, callbacks, to(env, "nearcast-engine"), &context_);
  }
  ~Script() {
    napi_async_destroy(env, context_);
    napi_delete_reference(env, callbacks_);
  }
  Script(const Script&) = delete;
  const napi_env env;
  bool isSilent = false;  // nothing is called back any more

  // Around everything that libuv calls. Only a turn that calls JavaScript pays for it: at its end handles are freed,
  // and what JavaScript has queued runs.
  void beginTurn() { isTurn_ = true; }
  void endTurn() {
    isTurn_ = false;
    if (scope_ == nullptr) return;
    napi_close_callback_scope(env, std::exchange(scope_, nullptr));
    napi_close_handle_scope(env, handles_);
  }

  // False where nobody listens any more. Views are good during the call only.
  template <typename... Values>
  bool tell(const char* name, const Values&... values) {
    if (isSilent) return false;
    const bool isFirst = isTurn_ && scope_ == nullptr;
    if (isFirst) napi_open_handle_scope(env, &handles_);
    napi_value callbacks = nullptr;
    napi_get_reference_value(env, callbacks_, &callbacks);
    if (isFirst) napi_open_callback_scope(env, callbacks, context_, &scope_);
    const std::vector<napi_value> given{to(env, values)...};
    const napi_value function = Object{env, callbacks}.at(name);
    if (napi_call_function(env, callbacks, function, given.size(), given.data(), nullptr) == napi_ok) return true;
    // A callback that throws is a bug: it ends the process as any uncaught error does, and is not lost.
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
    return true;
  }

 private:
  napi_ref callbacks_ = nullptr;
  napi_async_context context_ = nullptr;
  bool isTurn_ = false;
  napi_handle_scope handles_ = nullptr;
  napi_callback_scope scope_ = nullptr;
};

}  // namespace nearcast
