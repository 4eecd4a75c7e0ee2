#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/base/sha256.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// Hashes files beside the thread that writes them. It only ever reads: everything that changes the
/// host is done by the main thread, in one order. Jobs are taken up in the order in which they were
/// added.
class HashQueue {
 public:
  /// One file. Its descriptor must stay open until the digest was taken.
  class Job {
   public:
    explicit Job(os::File& file) : file_(file) {}

   private:
    friend class HashQueue;
    os::File& file_;
    std::uint64_t available_ = 0;  ///< bytes that may be read already
    bool complete_ = false;        ///< no more will come
    std::optional<Result<Sha256Digest>> digest_;
  };

  /// With as many threads as the machine has processors, up to four; or with none (for little work,
  /// starting one costs more), and everything is hashed when its digest is asked for.
  enum class Threads : std::uint8_t { none, some };
  explicit HashQueue(Threads threads);
  ~HashQueue();
  HashQueue(const HashQueue&) = delete;
  HashQueue& operator=(const HashQueue&) = delete;

  /// A file that is being written: nothing may be read before advance().
  Job& add_growing(os::File& file);
  /// A file that is all there.
  Job& add_complete(os::File& file);
  void advance(Job& job, std::uint64_t available);
  void complete(Job& job);
  /// Waits for the digest of all bytes.
  Result<Sha256Digest> digest(Job& job);

 private:
  void work();
  Job& add(os::File& file, bool complete);
  Result<Sha256Digest> hash(Job& job);
  std::optional<std::uint64_t> wait_for_bytes(Job& job, std::uint64_t done);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::deque<Job*> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace update
