#pragma once

#include <sys/types.h>

#include <string>

// What a box stands on: mounts and namespaces of its own.
namespace update::systemd {

inline constexpr const char* kUnits = "/usr/lib/systemd/system";

/// In a mount namespace of its own the test can mount what it likes, and it all goes with it. What
/// is wrong, or empty.
std::string enter_private_mounts();
/// A new folder, or empty.
std::string temporary_folder();
/// Mounts the folder that holds all of a box; what is wrong, or empty.
std::string mount_box(const std::string& folder);
void unmount_box(const std::string& folder);
/// A child in new namespaces of all kinds that a box needs; its pid, 0 in the child.
pid_t clone_into_namespaces();

}  // namespace update::systemd
