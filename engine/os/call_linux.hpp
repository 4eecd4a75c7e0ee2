#pragma once

#include <cerrno>
#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"

namespace update::os {

/// Makes a system call again for as long as a signal cuts it short. Never for close(2).
template <class Call>
auto retried(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// The error `number`, told in `words`: "reading /a/b: Input/output error".
inline tl::unexpected<Error> system_error(int number,
                                          std::initializer_list<std::string_view> words) {
  std::string what;
  for (const std::string_view word : words) what.append(what.empty() ? "" : " ").append(word);
  return fail(Error::from_errno(number, what));
}

/// The error in errno. Takes views, so that nothing is allocated before errno is read.
inline tl::unexpected<Error> last_error(std::initializer_list<std::string_view> words) {
  return system_error(errno, words);
}

}  // namespace update::os
