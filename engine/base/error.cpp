#include "engine/base/error.hpp"

#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace update {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::failed: return "failed";
    case ErrorCode::usage: return "usage";
    case ErrorCode::undone: return "rolled_back";
    case ErrorCode::needs_operator: return "needs_operator";
    case ErrorCode::busy: return "busy";
    case ErrorCode::refused: return "refused";
    case ErrorCode::not_trusted: return "not_trusted";
    case ErrorCode::no_space: return "no_space";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::unfinished: return "unfinished";
    case ErrorCode::interrupted: return "interrupted";
    case ErrorCode::terminated: return "terminated";
    case ErrorCode::journal_damaged: return "journal_damaged";
    case ErrorCode::commit_unknown: return "commit_unknown";
    case ErrorCode::newer_journal: return "newer_journal";
  }
  return "failed";
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::interrupted: return 130;
    case ErrorCode::terminated: return 143;
    case ErrorCode::journal_damaged:
    case ErrorCode::newer_journal: return 1;
    case ErrorCode::commit_unknown: return 10;
    default: return static_cast<int>(code);
  }
}

Error Error::from_errno(int number, std::string_view what) {
  const bool exhausted = number == ENOSPC || number == EDQUOT || number == EMFILE ||
                         number == ENFILE || number == ENOMEM;
  std::string message(what);
  message.append(": ").append(std::strerror(number));
  Error error(exhausted ? ErrorCode::no_space : ErrorCode::failed, std::move(message));
  error.errno_ = number;
  return error;
}

Error Error::with(std::string context) && {
  contexts_.push_back(std::move(context));
  return std::move(*this);
}

Error Error::hint(std::string text) && {
  if (hint_.empty()) hint_ = std::move(text);
  return std::move(*this);
}

Error Error::as(ErrorCode code) && {
  code_ = code;
  return std::move(*this);
}

std::string Error::message() const {
  std::string line;
  for (auto context = contexts_.rbegin(); context != contexts_.rend(); ++context) {
    line.append(*context).append(": ");
  }
  return line + message_;
}

}  // namespace update
