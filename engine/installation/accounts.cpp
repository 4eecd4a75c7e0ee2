#include "engine/installation/accounts.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <string>

namespace update {
namespace {

constexpr std::size_t kDatabaseLimit = 1U << 20;
constexpr std::string_view kUsers = "/etc/passwd";
constexpr std::string_view kGroups = "/etc/group";

/// nullopt for -1 as well, which chown(2) takes for "leave it".
std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (number == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return number;
}

struct Account {
  std::string_view name;
  std::uint32_t id = 0;
};

/// The first that `matches`: passwd(5) and group(5) both begin with name, password, number. Any
/// other line is passed over.
template <class Matches>
std::optional<Account> find_account(std::string_view text, Matches matches) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto name_end = line.find(':');
    const auto password_end =
        name_end == std::string_view::npos ? name_end : line.find(':', name_end + 1);
    if (name_end == 0 || password_end == std::string_view::npos || line.front() == '#') continue;
    const std::string_view rest = line.substr(password_end + 1);
    const auto id = number_of(rest.substr(0, rest.find(':')));
    if (!id) continue;
    const Account account{line.substr(0, name_end), *id};
    if (matches(account)) return account;
  }
  return std::nullopt;
}

Result<std::string> read_database(const InstallationRoot& root, std::string_view path) {
  UPDATE_TRY_ASSIGN(const AbsolutePath absolute, AbsolutePath::parse(path));
  return read_trusted_file(root, absolute, kDatabaseLimit);
}

Result<std::uint32_t> id_of(const InstallationRoot& root, std::string_view kind,
                            std::string_view name_or_number, std::string_view path) {
  if (const auto number = number_of(name_or_number)) return *number;
  const std::string what = std::string(kind) + " '" + escape(name_or_number) + "'";
  auto text = read_database(root, path);
  // A root without such a file knows no names, which is no failure of the system.
  if (!text && text.error().system_errno() == ENOENT) text = std::string();
  if (!text) return fail(std::move(text).error().with("looking for the " + what));
  const auto account =
      find_account(*text, [&](const Account& each) { return each.name == name_or_number; });
  if (account) return account->id;
  return fail(ErrorCode::usage, "there is no " + what + " in " + std::string(path));
}

}  // namespace

Result<std::uint32_t> user_id(const InstallationRoot& root, std::string_view name_or_number) {
  return id_of(root, "user", name_or_number, kUsers);
}

Result<std::uint32_t> group_id(const InstallationRoot& root, std::string_view name_or_number) {
  return id_of(root, "group", name_or_number, kGroups);
}

std::string user_name(const InstallationRoot& root, std::uint32_t uid) {
  const auto text = read_database(root, kUsers);
  if (!text) return {};
  const auto account = find_account(*text, [&](const Account& each) { return each.id == uid; });
  return account ? std::string(account->name) : std::string();
}

}  // namespace update
