#include "engine/image/file/entry_list.hpp"

#include "engine/image/file/named_file.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace update {
namespace {

constexpr std::size_t kPathMax = 4096;  // with the NUL at its end
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
  text.resize(count);
  return parse_entry_list(text, path);
}

Result<std::vector<std::string>> parse_entry_list(std::string_view text, const std::string& name) {
  if (text.size() > kEntryListLimit) return fail(list_error(name, "has more than 64 MiB"));
  // A NUL would cut an entry short wherever it is handed to the system.
  if (text.find('\0') != std::string_view::npos) {
    return fail(list_error(name, "is not a text: it holds a NUL"));
  }
  std::vector<std::string> entries;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view entry = entry_of(line);
    if (entry.size() >= kPathMax) {
      return fail(list_error(name, "has an entry in line " + std::to_string(number) +
                                       " that is longer than a path can be"));
    }
    if (!entry.empty()) entries.emplace_back(entry);
  }
  if (entries.empty()) return fail(list_error(name, "has no entry"));
  return entries;
}

}  // namespace update
