#include <stdlib.h>

#include "CAllocator.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

void martlet_keep_large_blocks(int largest_heap_block, int kept_free) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, largest_heap_block);
    mallopt(M_TRIM_THRESHOLD, kept_free);
#else
    (void)largest_heap_block;
    (void)kept_free;
#endif
}
