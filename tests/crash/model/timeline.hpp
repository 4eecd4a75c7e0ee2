#pragma once

#include <string>

namespace update::crash {

/// The timeline of an update as Markdown: where its durable points are, and what `recover` makes of
/// a stop between two of them. All of it is seen on the program itself, on a host in memory that is
/// stopped after each of its calls.
std::string timeline();

/// `text` with what stands between the two markers replaced by the timeline; std::invalid_argument
/// if it lacks them.
std::string with_timeline(const std::string& text);

}  // namespace update::crash
