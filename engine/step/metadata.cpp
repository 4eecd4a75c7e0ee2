#include "engine/step/metadata.hpp"

namespace update::step {
namespace {

/// Attributes that the kernel itself gives to a new file (a security label, a measurement) are not
/// ours to take away.
bool is_ours(const std::string& name) {
  return name.starts_with("user.") || name.starts_with("system.posix_acl_") ||
         name == kCapabilityAttribute;
}

Status set_attributes(os::File& file, const os::Attributes& wanted) {
  UPDATE_TRY_ASSIGN(const os::Attributes present, file.attributes());
  for (const auto& [name, value] : present) {
    // A default ACL of the folder gives every new file one that nobody asked for.
    if (!wanted.contains(name) && is_ours(name)) UPDATE_TRY(file.remove_attribute(name));
  }
  for (const auto& [name, value] : wanted) {
    const auto found = present.find(name);
    if (found == present.end() || found->second != value) {
      UPDATE_TRY(file.set_attribute(name, value));
    }
  }
  return {};
}

}  // namespace

// The order matters: chown(2) clears set-id bits and capabilities, an ACL changes the group bits.
Status set_metadata(os::File& file, const FileState& state) {
  UPDATE_TRY_ASSIGN(const os::FileInfo before, file.info());
  if (before.uid != state.uid || before.gid != state.gid) {
    UPDATE_TRY(file.set_owner(state.uid, state.gid));
  }
  UPDATE_TRY(set_attributes(file, state.attributes));
  UPDATE_TRY(file.set_mode(state.mode));
  UPDATE_TRY_ASSIGN(const os::FileInfo after, file.info());
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, file.attributes());
  bool kept = after.mode == state.mode && after.uid == state.uid && after.gid == state.gid;
  for (const auto& [name, value] : state.attributes) {
    const auto found = attributes.find(name);
    kept = kept && found != attributes.end() && found->second == value;
  }
  if (kept) return {};
  return fail(ErrorCode::failed, "the file system does not keep its mode, owner or attributes");
}

FileState without_privileges(const FileState& state) {
  FileState plain = state;
  plain.mode &= ~kSetIdBits;
  plain.attributes.erase(std::string(kCapabilityAttribute));
  return plain;
}

}  // namespace update::step
