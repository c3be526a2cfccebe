// JavaScript as the loop sees it: the callbacks, by name.
#pragma once

#include <node_api.h>

#include <vector>

#include "values.h"

namespace nearcast {

class Script {
 public:
  Script(napi_env env, napi_value callbacks);
  ~Script();
  // Around everything that libuv calls. Only a turn that calls JavaScript pays for it: at its end handles are freed,
  // and what JavaScript has queued runs.
  void beginTurn() { isTurn_ = true; }
  void endTurn();
  bool isSilent = false;  // nothing is called back any more

  // False where nobody listens any more. Views are good during the call only.
  template <typename... Values>
  bool tell(const char* name, const Values&... values) {
    if (isSilent) return false;
    enter();
    callback(name, {to(env_, values)...});
    return true;
  }

 private:
  void enter();
  void callback(const char* name, const std::vector<napi_value>& arguments);

  const napi_env env_;
  napi_ref callbacks_ = nullptr;
  napi_async_context context_ = nullptr;
  bool isTurn_ = false;
  napi_handle_scope handles_ = nullptr;
  napi_callback_scope scope_ = nullptr;
};

}  // namespace nearcast
