#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/error.hpp"
#include "engine/base/json.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/types.hpp"

// What several JSON documents have in common.
namespace update::cli {

/// For what is stored in our own journal: whoever edits that must not be able to exhaust a reader.
inline constexpr JsonLimits kStoredLimits{.bytes = 64U << 20, .depth = 32};

/// The error object, with the id of the transaction that it ended, or null where none had begun.
Json error_object(const Error& error, std::optional<TransactionId> transaction);

/// Permission, set-id and sticky bits as four digits: "0755".
std::string octal(std::uint32_t mode);

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

inline Json hex_or_null(const std::optional<Sha256Digest>& digest) {
  return digest ? Json(digest->hex()) : Json(nullptr);
}

}  // namespace update::cli
