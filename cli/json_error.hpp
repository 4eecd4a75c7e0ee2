#pragma once

#include "engine/base/error.hpp"
#include "engine/base/json.hpp"

namespace update::cli {

/// The error object's inside: code, name, message, hint.
Json error_json(const Error& error);

}  // namespace update::cli
