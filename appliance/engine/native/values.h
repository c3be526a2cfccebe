// JavaScript values as C++ ones, and functions of C++ as methods for JavaScript. A value of another type reads as
// nothing: the typed face in ../native-addon.ts is what keeps them right.
#pragma once

#include <node_api.h>

#include <concepts>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace nearcast {

template <typename T>
T from(napi_env env, napi_value value);

struct Object {
  napi_env env;
  napi_value value;
  napi_value at(const char* key) const {
    napi_value found = nullptr;
    napi_get_named_property(env, value, key, &found);
    return found;
  }
  template <typename T>
  T get(const char* key) const {
    return from<T>(env, at(key));
  }
  bool has(const char* key) const { return typeOf(at(key)) != napi_undefined; }
  bool isObject() const { return typeOf(value) == napi_object; }
  napi_valuetype typeOf(napi_value any) const {
    napi_valuetype type = napi_undefined;
    napi_typeof(env, any, &type);
    return type;
  }
};

template <typename T>
struct isVector : std::false_type {};
template <typename T>
struct isVector<std::vector<T>> : std::true_type {};

template <typename T>
T from(napi_env env, napi_value value) {
  if constexpr (std::same_as<T, Object>) {
    return {env, value};
  } else if constexpr (std::same_as<T, bool>) {
    bool is = false;
    napi_get_value_bool(env, value, &is);
    return is;
  } else if constexpr (std::is_arithmetic_v<T>) {
    double number = 0;
    napi_get_value_double(env, value, &number);
    return static_cast<T>(number);
  } else if constexpr (std::same_as<T, std::string_view>) {  // a Buffer, good during the call
    void* data = nullptr;
    size_t size = 0;
    napi_get_buffer_info(env, value, &data, &size);
    return {static_cast<char*>(data), size};
  } else if constexpr (std::same_as<T, std::string>) {  // text as latin1, or a Buffer
    size_t size = 0;
    if (napi_get_value_string_latin1(env, value, nullptr, 0, &size) != napi_ok)
      return std::string(from<std::string_view>(env, value));
    std::string text(size, '\0');
    napi_get_value_string_latin1(env, value, text.data(), size + 1, &size);
    return text;
  } else {
    static_assert(isVector<T>::value);
    uint32_t count = 0;
    napi_get_array_length(env, value, &count);
    T list;
    for (uint32_t i = 0; i < count; i++) {
      napi_value each = nullptr;
      napi_get_element(env, value, i, &each);
      list.push_back(from<typename T::value_type>(env, each));
    }
    return list;
  }
}

// A Buffer rather than text.
struct Bytes {
  std::string_view bytes;
};
using Properties = std::initializer_list<std::pair<const char*, napi_value>>;

inline napi_value to(napi_env, napi_value value) { return value; }
inline napi_value to(napi_env env, std::string_view text) {
  napi_value value = nullptr;
  napi_create_string_latin1(env, text.data(), text.size(), &value);
  return value;
}
inline napi_value to(napi_env env, Bytes from) {
  napi_value value = nullptr;
  napi_create_buffer_copy(env, from.bytes.size(), from.bytes.data(), nullptr, &value);
  return value;
}
inline napi_value to(napi_env env, Properties properties) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  for (const auto& [name, value] : properties) napi_set_named_property(env, object, name, value);
  return object;
}
template <typename T>
  requires std::is_arithmetic_v<T>
napi_value to(napi_env env, T number) {
  napi_value value = nullptr;
  if constexpr (std::same_as<T, bool>)
    napi_get_boolean(env, number, &value);
  else
    napi_create_double(env, static_cast<double>(number), &value);
  return value;
}
inline napi_value to(napi_env env, const std::vector<napi_value>& list) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, list.size(), &array);
  for (uint32_t i = 0; i < list.size(); i++) napi_set_element(env, array, i, list[i]);
  return array;
}

// The error becomes an exception of JavaScript, with the name of errno as its code.
struct SystemError {
  int number;
};
struct ScriptError {
  const char* code;
  std::string message;
};

template <typename Work>
napi_value guarded(napi_env env, Work work) {
  try {
    return work();
  } catch (const SystemError& error) {
    napi_throw_error(env, strerrorname_np(error.number), strerror(error.number));
  } catch (const ScriptError& error) {
    napi_throw_error(env, error.code, error.message.c_str());
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_NATIVE", error.what());
  }
  return nullptr;
}

// Calls a function (Self&, arguments…) with what JavaScript has given.
template <typename Self, typename Result, typename... Arguments>
napi_value apply(napi_env env, const napi_value* given, Self& self, Result (*function)(Self&, Arguments...)) {
  return [&]<size_t... I>(std::index_sequence<I...>) -> napi_value {
    if constexpr (!std::is_void_v<Result>)
      return to(env, function(self, from<std::decay_t<Arguments>>(env, given[I])...));
    function(self, from<std::decay_t<Arguments>>(env, given[I])...);
    return nullptr;
  }(std::index_sequence_for<Arguments...>());
}

// A free function, whose first parameter is the environment.
template <auto function>
napi_value call(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value given[3];
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
  return guarded(env, [&] { return apply(env, given, env, +function); });
}

// A method of an object that wraps a Self.
template <typename Self, auto function>
napi_value invoke(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value given[3];
  napi_value self = nullptr;
  void* wrapped = nullptr;
  napi_get_cb_info(env, info, &count, given, &self, nullptr);
  return guarded(env, [&] {
    if (napi_unwrap(env, self, &wrapped) != napi_ok || wrapped == nullptr) throw ScriptError{"ERR_CLOSED", "destroyed"};
    auto& object = *static_cast<Self*>(wrapped);
    const typename Self::Use use(object);
    return apply(env, given, object, +function);
  });
}

}  // namespace nearcast
