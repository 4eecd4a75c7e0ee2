#include "engine/transaction/hash_queue.hpp"

#include <algorithm>
#include <limits>
#include <system_error>

namespace update {
namespace {

constexpr unsigned kThreadsLimit = 4;
constexpr std::size_t kChunkBytes = 128 * 1024;
constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

}  // namespace

HashQueue::HashQueue(Threads threads) {
  if (threads == Threads::none) return;
  const unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsLimit);
  try {
    for (unsigned index = 0; index < count; ++index) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (const std::system_error&) {
    // A limit on processes is one on threads (pthread_create(3), EAGAIN). Fewer, or none, will do.
  }
}

HashQueue::~HashQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

HashQueue::Job& HashQueue::add_growing(os::File& file) {
  return add(file, false);
}

HashQueue::Job& HashQueue::add_complete(os::File& file) {
  return add(file, true);
}

HashQueue::Job& HashQueue::add(os::File& file, bool complete) {
  auto job = std::make_unique<Job>(file);
  job->complete_ = complete;
  job->available_ = complete ? kAll : 0;
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  waiting_.push_back(jobs_.back().get());
  changed_.notify_all();
  return *jobs_.back();
}

void HashQueue::advance(Job& job, std::uint64_t available) {
  const std::lock_guard lock(mutex_);
  job.available_ = available;
  changed_.notify_all();
}

void HashQueue::complete(Job& job) {
  const std::lock_guard lock(mutex_);
  job.available_ = kAll;
  job.complete_ = true;
  changed_.notify_all();
}

Result<Sha256Digest> HashQueue::digest(Job& job) {
  std::unique_lock lock(mutex_);
  if (threads_.empty() && !job.digest_) {
    lock.unlock();
    auto digest = hash(job);
    lock.lock();
    job.digest_ = std::move(digest);
  }
  changed_.wait(lock, [&] { return job.digest_.has_value(); });
  return *job.digest_;
}

void HashQueue::work() {
  while (true) {
    Job* job = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      job = waiting_.front();
      waiting_.pop_front();
    }
    auto digest = hash(*job);
    const std::lock_guard lock(mutex_);
    job->digest_ = std::move(digest);
    changed_.notify_all();
  }
}

/// How far may be read by now; nullopt: everything was, or nobody wants it any more.
std::optional<std::uint64_t> HashQueue::wait_for_bytes(Job& job, std::uint64_t done) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_ || job.complete_ || job.available_ > done; });
  if (stopping_) return std::nullopt;
  return job.available_;
}

Result<Sha256Digest> HashQueue::hash(Job& job) {
  std::vector<std::byte> buffer(kChunkBytes);
  Sha256 hash;
  std::uint64_t done = 0;
  while (true) {
    const auto available = wait_for_bytes(job, done);
    if (!available) return fail(ErrorCode::failed, "hashing was given up");
    while (done < *available) {
      const auto wanted = std::min<std::uint64_t>(buffer.size(), *available - done);
      UPDATE_TRY_ASSIGN(const std::size_t count,
                        job.file_.read_at(std::span(buffer).first(wanted), done));
      if (count == 0) return hash.finish();
      hash.update(std::span(buffer).first(count));
      done += count;
    }
  }
}

}  // namespace update
