#ifndef MARTLET_C_ALLOCATOR_H
#define MARTLET_C_ALLOCATOR_H

/// Keeps allocations of up to `largest_heap_block` bytes on the heap, and up to `kept_free` freed bytes with the process.
/// glibc's mallopt is not part of Swift's Glibc module; with another C library this does nothing.
void martlet_keep_large_blocks(int largest_heap_block, int kept_free);

#endif
