#ifndef MARTLET_C_STRING_SCAN_H
#define MARTLET_C_STRING_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether this processor has what martlet_end_of_string_blocks is made of.
bool martlet_has_string_scan(void);

/// Moves over content of a JSON string, 64 bytes at a time: text in UTF-8, and escapes of two and of six bytes.
///
/// All that lies between `start` and the result is valid, and the result is never inside a sequence or an escape. The
/// closing quote or a fault stands at the result or in the block behind it, or fewer than 64 bytes are left but for an
/// escape or a sequence that is cut there. No byte is read in front of `start`, or at `count` and behind.
///
/// Only to be called where martlet_has_string_scan is true; for other processors than x86-64 there is no code here.
/// - start: an offset of at most `count` within a string, at which no sequence or escape is cut.
/// - has_escapes: set to true when a backslash was passed; it may also be when one stands at the result.
ptrdiff_t martlet_end_of_string_blocks(const void *text, ptrdiff_t count, ptrdiff_t start, bool *has_escapes);

#endif
