#include "engine/transaction/plan.hpp"

namespace update {

bool FileState::privileged() const {
  return (mode & kSetIdBits) != 0 || attributes.contains(std::string(kCapabilityAttribute));
}

bool FileState::same_metadata(const FileState& other) const {
  return mode == other.mode && uid == other.uid && gid == other.gid &&
         attributes == other.attributes;
}

std::string_view name_of(Change change) {
  switch (change) {
    case Change::replace: return "replace";
    case Change::install: return "install";
    case Change::remove: return "remove";
    case Change::unchanged: return "unchanged";
  }
  return "";
}

Change PlannedFile::change() const {
  if (unchanged) return Change::unchanged;
  if (!new_state) return Change::remove;
  return old_state ? Change::replace : Change::install;
}

std::string_view name_of(TransactionKind kind) {
  return kind == TransactionKind::apply ? "apply" : "rollback";
}

std::string Plan::staged_name_of(const PlannedFile& file) const {
  return staged_name(file.destination.name(), tag);
}

std::string Plan::backup_name_of(const PlannedFile& file) const {
  return backup_name(file.destination.name(), tag);
}

}  // namespace update
