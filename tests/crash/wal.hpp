#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace update::crash {

/// The part of a write-ahead log that SQLite reads: up to the last frame that ends a transaction
/// and whose checksum, like that of all before it, is right (sqlite.org/fileformat2.html, "The WAL
/// File Format"). Two logs that are alike in it are the same database.
struct CommittedPart {
  std::size_t size = 0;
  std::uint64_t print = 0;
};

/// Reads logs that are alike up to some frame one after the other, and no frame twice in a row.
class LogReader {
 public:
  CommittedPart committed_part(std::string_view log);

 private:
  struct Checksum {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
  };
  struct Frame {
    Checksum sum;             ///< of the log up to its end
    std::uint64_t print = 0;  ///< likewise
    bool commits = false;
  };
  bool read_header(std::string_view log);
  bool read_frame(std::string_view frame, std::string_view salts);
  Checksum added(Checksum sum, std::string_view bytes) const;

  std::string last_;
  std::size_t page_ = 0;
  bool big_endian_ = false;
  Frame header_;
  std::vector<Frame> frames_;
};

}  // namespace update::crash
