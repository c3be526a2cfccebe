#include "script.h"

#include <utility>

namespace nearcast {

Script::Script(napi_env env, napi_value callbacks) : env_(env) {
  napi_create_reference(env, callbacks, 1, &callbacks_);
  napi_async_init(env, callbacks, to(env, "nearcast-engine"), &context_);
}

Script::~Script() {
  napi_async_destroy(env_, context_);
  napi_delete_reference(env_, callbacks_);
}

void Script::enter() {
  if (!isTurn_ || scope_ != nullptr) return;
  napi_value callbacks = nullptr;
  napi_open_handle_scope(env_, &handles_);
  napi_get_reference_value(env_, callbacks_, &callbacks);
  napi_open_callback_scope(env_, callbacks, context_, &scope_);
}

void Script::endTurn() {
  isTurn_ = false;
  if (scope_ == nullptr) return;
  napi_close_callback_scope(env_, std::exchange(scope_, nullptr));
  napi_close_handle_scope(env_, handles_);
}

void Script::callback(const char* name, const std::vector<napi_value>& arguments) {
  napi_value callbacks = nullptr;
  napi_get_reference_value(env_, callbacks_, &callbacks);
  const napi_value function = Object{env_, callbacks}.at(name);
  if (napi_call_function(env_, callbacks, function, arguments.size(), arguments.data(), nullptr) == napi_ok) return;
  // A callback that throws is a bug: it ends the process as any uncaught error does, and is not lost.
  napi_value error = nullptr;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

}  // namespace nearcast
