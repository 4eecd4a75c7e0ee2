#include "engine/image/file/copied_mode.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace update {
namespace {

// As getxattr(2) gives a list (the kernel's linux/posix_acl_xattr.h): a version, then its entries.
struct AclEntry {
  std::uint16_t tag;
  std::uint16_t permissions;
  std::uint32_t id;
};
constexpr std::size_t kAclHead = 4;
constexpr std::uint16_t kOwnGroup = 0x04;
constexpr std::uint32_t kGroupBits = 070;

}  // namespace

std::uint32_t mode_without_acl(std::uint32_t mode, const os::Attributes& attributes) {
  const auto list = attributes.find(os::kAccessAcl);
  if (list == attributes.end()) return mode;
  std::string_view rest(list->second);
  rest.remove_prefix(std::min(kAclHead, rest.size()));
  std::uint32_t group = 0;
  for (; rest.size() >= sizeof(AclEntry); rest.remove_prefix(sizeof(AclEntry))) {
    AclEntry entry;
    std::memcpy(&entry, rest.data(), sizeof(entry));
    if (entry.tag == kOwnGroup) group = std::uint32_t{entry.permissions} << 3U;
  }
  // The mask, which is in the mode, bounds the group as well.
  return mode & (~kGroupBits | group);
}

Result<std::uint32_t> copied_mode(os::File& file) {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file.info());
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, file.attributes());
  return mode_without_acl(info.mode, attributes);
}

}  // namespace update
