#include "engine/image/file/entry_list.hpp"

#include "engine/image/file/named_file.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace update {
namespace {

constexpr std::uint64_t kEntryListLimit = 64U << 20;
constexpr std::string_view kBlanks = " \t\r\v\f";

std::string_view entry_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const auto begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlanks) + 1 - begin);
}

Error list_error(const std::string& path, std::string_view problem) {
  return {ErrorCode::usage, "the list " + path + " " + std::string(problem)};
}

}  // namespace

Result<std::vector<std::string>> read_entry_list(os::FileSystem& files, const std::string& path) {
  UPDATE_TRY_ASSIGN(const auto file, open_named_file(files, path));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
  // One byte more than allowed is asked for: the size of before may not be that of now.
  std::string text(std::min(info.identity.size, kEntryListLimit) + 1, '\0');
  UPDATE_TRY_ASSIGN(const std::size_t count,
                    file->read_at(std::as_writable_bytes(std::span(text)), 0));
  if (count > kEntryListLimit) return fail(list_error(path, "has more than 64 MiB"));
  // A NUL would cut an entry short wherever it is handed to the system.
  std::string_view rest(text.data(), count);
  if (rest.find('\0') != std::string_view::npos) {
    return fail(list_error(path, "is not a text: it holds a NUL"));
  }
  std::vector<std::string> entries;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (const auto entry = entry_of(line); !entry.empty()) entries.emplace_back(entry);
  }
  if (entries.empty()) return fail(list_error(path, "has no entry"));
  return entries;
}

}  // namespace update
