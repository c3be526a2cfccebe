// JavaScript values as C++ ones, and functions of C++ as functions of JavaScript. A value of another type reads as
// nothing: the typed face in ../native-addon.ts is what keeps them right.
#pragma once

#include <node_api.h>

#include <concepts>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
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
  // The memory of an array of numbers; whoever uses it longer than the call keeps the array.
  template <typename T>
  std::span<T> numbers(const char* key) const {
    const auto bytes = get<std::string_view>(key);
    return {reinterpret_cast<T*>(const_cast<char*>(bytes.data())), bytes.size() / sizeof(T)};
  }
};

// What an object of JavaScript wraps, whose methods are called: each call keeps it.
template <typename T>
concept Wrapped = requires { typename T::element_type; };

template <typename T>
T from(napi_env env, napi_value value) {
  if constexpr (std::same_as<T, Object>) {
    return {env, value};
  } else if constexpr (Wrapped<T>) {
    void* wrapped = nullptr;
    if (napi_unwrap(env, value, &wrapped) != napi_ok || wrapped == nullptr) throw std::logic_error("destroyed");
    return *static_cast<T*>(wrapped);
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
template <typename... Values>
napi_value to(napi_env env, const std::tuple<Values...>& values) {
  return std::apply([&](const auto&... each) { return to(env, std::vector<napi_value>{to(env, each)...}); }, values);
}

// Calls a function with what JavaScript has given, `this` first.
template <typename Result, typename... Parameters>
napi_value apply(napi_env env, const napi_value* given, Result (*function)(Parameters...)) {
  constexpr bool isMethod = (Wrapped<Parameters> || ...);
  return [&]<size_t... I>(std::index_sequence<I...>) -> napi_value {
    if constexpr (!std::is_void_v<Result>)
      return to(env, function(from<Parameters>(env, given[I + !isMethod])...));
    function(from<Parameters>(env, given[I + !isMethod])...);
    return nullptr;
  }(std::index_sequence_for<Parameters...>());
}

// A function of C++ for JavaScript. What it throws is thrown there, with the name of errno as its code where it has one.
template <auto function>
napi_value call(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value given[4];
  napi_get_cb_info(env, info, &count, given + 1, given, nullptr);
  try {
    return apply(env, given, +function);
  } catch (const std::system_error& error) {
    napi_throw_error(env, strerrorname_np(error.code().value()), error.what());
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_NATIVE", error.what());
  }
  return nullptr;
}

using Function = std::pair<const char*, napi_callback>;
inline void define(napi_env env, napi_value object, std::initializer_list<Function> functions) {
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, object, name, value);
  }
}

}  // namespace nearcast
