// JavaScript as the loop sees it: the callbacks. Views are good during the call only.
#pragma once

#include <node_api.h>

#include <string>
#include <string_view>
#include <vector>

#include "connection.h"

namespace nearcast {

class Script {
 public:
  Script(napi_env env, napi_value callbacks);
  ~Script();
  napi_env env() const { return env_; }
  // Around everything that libuv calls. Only a turn that calls JavaScript pays for it: at its end handles are freed,
  // and what JavaScript has queued runs.
  void beginTurn() { isTurn_ = true; }
  void endTurn();
  std::string addressKey;
  bool isSilent = false;  // nothing is called back any more

  void park(uint64_t id, const Request& request, const std::string& client);
  void handOver(int fd, std::string_view bytes, uint64_t id);
  void beginStream(uint64_t id, std::string_view bytes, const Connection& connection,
                   const std::string& client);
  void streamData(uint64_t id, std::string_view bytes, bool isEnd);
  void streamDrained(uint64_t id, bool isBroken);
  void streamClosed(uint64_t id);
  void fileFailed(const OpenFile& file, int error);
  void recordsWaiting();
  uint64_t pseudonym(const Address& address);

 private:
  template <typename... Values>
  void tell(const char* name, Values... values);
  void enter();
  void callback(const char* name, const std::vector<napi_value>& arguments);

  napi_env env_;
  napi_ref callbacks_ = nullptr;
  napi_async_context context_ = nullptr;
  bool isTurn_ = false;
  napi_handle_scope handles_ = nullptr;
  napi_callback_scope scope_ = nullptr;
};

}  // namespace nearcast
