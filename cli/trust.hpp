#pragma once

#include <memory>
#include <string>

#include "engine/release/release.hpp"
#include "engine/transaction/environment.hpp"

namespace update::cli {

/// The keys that the configuration names. A path that does not exist is passed over; that no key at
/// all is found is not_trusted, and names where keys were looked for. Nothing is read where no
/// signature is required.
Result<TrustPolicy> load_trust(const Environment& env);

/// The folder of a release that a person named. usage for an archive, an address and `-`.
Result<std::unique_ptr<os::Folder>> open_release_folder(const Environment& env,
                                                        const std::string& release);

/// A release that may be believed.
Result<Release> open_trusted_release(const Environment& env, const std::string& release);

}  // namespace update::cli
