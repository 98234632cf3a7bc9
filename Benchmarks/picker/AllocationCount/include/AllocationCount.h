#ifndef MARTLET_ALLOCATION_COUNT_H
#define MARTLET_ALLOCATION_COUNT_H

#include <stdint.h>

/// How often this thread asked for memory so far.
uint64_t martlet_allocations(void);

/// The CPU time of this thread so far, in nanoseconds.
uint64_t martlet_thread_nanoseconds(void);

#endif
