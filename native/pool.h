// The addon's threads: one pool for the process, which sleeps when there is nothing to do and never keeps it alive.
#pragma once

#include <cstddef>
#include <type_traits>

namespace antorcha {

/** How many threads take part in work from now on, the calling one included. At least 1. */
void setThreads(int count);
int threads();

/** The part [begin, end) of a range of tasks. */
using RangeFunction = void (*)(void *context, size_t begin, size_t end);

void parallelRange(size_t tasks, size_t grain, RangeFunction function, void *context);

/**
 * Calls `body(begin, end)` for ranges of about `grain` tasks until all of `tasks` are done, on as many threads as are
 * set, and returns when they are. Where a range begins depends on `grain` alone, never on the number of threads. A call
 * from inside a task, or while another thread's call is under way, runs on the calling thread alone.
 */
template <typename Body>
void parallelFor(size_t tasks, size_t grain, Body &&body) {
  using Plain = std::remove_reference_t<Body>;
  parallelRange(
      tasks, grain,
      [](void *context, size_t begin, size_t end) { (*static_cast<Plain *>(context))(begin, end); },
      const_cast<void *>(static_cast<const void *>(&body)));
}

}  // namespace antorcha
