// The thread pool: workers take ranges from a shared counter, spin for a moment after work, then sleep.

#include "pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace antorcha {
namespace {

/** How often a thread looks for new work before it sleeps: some tens of microseconds. */
constexpr int spins = 4000;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct Job {
  RangeFunction function;
  void *context;
  size_t tasks;
  size_t grain;
};

class Pool {
 public:
  void run(const Job &job, int helpers) {
    grow(helpers);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = job;
      next_.store(0, std::memory_order_relaxed);
      busy_.store(helpers, std::memory_order_relaxed);
      // Last of all: whoever takes one of these sees the job.
      wanted_.store(helpers, std::memory_order_release);
      generation_.fetch_add(1, std::memory_order_release);
    }
    if (sleeping_.load(std::memory_order_acquire) > 0) wake_.notify_all();
    work();
    // A helper that has not begun yet is told that it is too late, the others are waited for.
    int expected = wanted_.load(std::memory_order_acquire);
    while (expected > 0 && !wanted_.compare_exchange_weak(expected, 0)) {
    }
    busy_.fetch_sub(expected, std::memory_order_acq_rel);
    while (busy_.load(std::memory_order_acquire) > 0) pause();
  }

 private:
  void grow(int helpers) {
    for (; started_ < helpers; started_++) std::thread([this] { live(); }).detach();
  }

  void work() {
    const Job job = job_;
    for (;;) {
      const size_t begin = next_.fetch_add(job.grain, std::memory_order_relaxed);
      if (begin >= job.tasks) return;
      job.function(job.context, begin, std::min(begin + job.grain, job.tasks));
    }
  }

  bool join() {
    int left = wanted_.load(std::memory_order_acquire);
    while (left > 0)
      if (wanted_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel)) return true;
    return false;
  }

  void live() {
    unsigned seen = 0;
    for (;;) {
      int idle = 0;
      while (generation_.load(std::memory_order_acquire) == seen && idle < spins) {
        pause();
        idle++;
      }
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleeping_.fetch_add(1);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
        sleeping_.fetch_sub(1);
      }
      seen = generation_.load(std::memory_order_acquire);
      if (!join()) continue;
      work();
      busy_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  Job job_{};
  std::atomic<size_t> next_{0};
  std::atomic<int> wanted_{0};
  std::atomic<int> busy_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<unsigned> generation_{0};
  int started_ = 0;
};

// Never destroyed: its threads may outlive the other static objects of the process.
Pool &pool() {
  static Pool *const instance = new Pool;
  return *instance;
}

std::atomic<int> threadCount{1};
std::mutex inUse;
thread_local bool insideTask = false;

}  // namespace

void setThreads(int count) { threadCount.store(std::max(1, count)); }
int threads() { return threadCount.load(); }

void parallelRange(size_t tasks, size_t grain, RangeFunction function, void *context) {
  if (tasks == 0) return;
  grain = std::max<size_t>(grain, 1);
  const size_t ranges = (tasks + grain - 1) / grain;
  const int helpers = static_cast<int>(std::min<size_t>(ranges, threads())) - 1;
  const bool parallel = helpers > 0 && !insideTask && inUse.try_lock();
  if (!parallel) {
    for (size_t begin = 0; begin < tasks; begin += grain)
      function(context, begin, std::min(begin + grain, tasks));
    return;
  }
  insideTask = true;
  pool().run({function, context, tasks, grain}, helpers);
  insideTask = false;
  inUse.unlock();
}

}  // namespace antorcha
