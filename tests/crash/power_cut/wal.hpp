#pragma once

#include <string_view>

namespace update::crash {

/// The part of a write-ahead log that SQLite reads: up to the last frame that ends a transaction
/// and whose checksum, like that of all before it, is right (sqlite.org/fileformat2.html, "The WAL
/// File Format"). Two logs that are alike in it are the same database.
std::string_view committed_part(std::string_view wal);

}  // namespace update::crash
