// Text in room that was checked before. Each returns where the next is to stand.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace nearcast {

inline char* put(char* out, std::string_view text) {
  memcpy(out, text.data(), text.size());
  return out + text.size();
}

inline char* put(char* out, uint64_t number) { return std::to_chars(out, out + 20, number).ptr; }

// So many digits, with zeros in front.
inline char* put(char* out, unsigned number, int digits) {
  for (int i = digits; i-- > 0; number /= 10) out[i] = static_cast<char>('0' + number % 10);
  return out + digits;
}

template <typename... Texts>
char* putAll(char* out, const Texts&... texts) {
  ((out = put(out, texts)), ...);
  return out;
}

}  // namespace nearcast
