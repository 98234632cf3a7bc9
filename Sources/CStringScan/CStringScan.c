#include "CStringScan.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Only these functions are compiled for AVX2 and BMI, so the rest of the program runs on any x86-64.
#define VECTOR __attribute__((target("avx2,bmi")))
#define INLINED VECTOR __attribute__((always_inline)) static inline

bool martlet_has_string_scan(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

/// What two neighbouring bytes can be wrong in. A pair has a fault when the tables of the first byte's high half, of
/// its low half and of the second byte's high half all have its bit (Keiser and Lemire, "Validating UTF-8 in less than
/// one instruction per byte", 2021).
enum {
    NO_TAIL = 0x01,     // a lead byte, then no continuation byte
    NO_LEAD = 0x02,     // ASCII, then a continuation byte
    OVERLONG_3 = 0x04,  // E0 80 to E0 9F
    ABOVE_LAST = 0x08,  // F4 90 and above, but for a second byte 8x
    SURROGATE = 0x10,   // ED A0 to ED BF
    OVERLONG_2 = 0x20,  // C0 and C1
    OVERLONG_4 = 0x40,  // F0 80 to F0 8F, and F5 and above with a second byte 8x
    TWO_TAILS = 0x80,   // two continuation bytes, which is right behind the leads of three and four bytes
    ANY_LOW = NO_TAIL | NO_LEAD | TWO_TAILS,
    LOW_F5 = ANY_LOW | ABOVE_LAST | OVERLONG_4,
    SECOND = NO_LEAD | OVERLONG_2 | TWO_TAILS,
};

static const uint8_t of_first_high[16] = {
    NO_LEAD, NO_LEAD, NO_LEAD, NO_LEAD, NO_LEAD, NO_LEAD, NO_LEAD, NO_LEAD, TWO_TAILS, TWO_TAILS, TWO_TAILS, TWO_TAILS,
    NO_TAIL | OVERLONG_2, NO_TAIL, NO_TAIL | OVERLONG_3 | SURROGATE, NO_TAIL | ABOVE_LAST | OVERLONG_4,
};
static const uint8_t of_first_low[16] = {
    ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4, ANY_LOW | OVERLONG_2, ANY_LOW, ANY_LOW, ANY_LOW | ABOVE_LAST,
    LOW_F5, LOW_F5, LOW_F5, LOW_F5, LOW_F5, LOW_F5, LOW_F5, LOW_F5, LOW_F5 | SURROGATE, LOW_F5, LOW_F5,
};
static const uint8_t of_second_high[16] = {
    NO_TAIL, NO_TAIL, NO_TAIL, NO_TAIL, NO_TAIL, NO_TAIL, NO_TAIL, NO_TAIL, SECOND | OVERLONG_3 | OVERLONG_4,
    SECOND | OVERLONG_3 | ABOVE_LAST, SECOND | SURROGATE | ABOVE_LAST, SECOND | SURROGATE | ABOVE_LAST,
    NO_TAIL, NO_TAIL, NO_TAIL, NO_TAIL,
};

/// One letter for each low half of a byte, which together with a backslash is an escape.
static const uint8_t of_letters[16] = {
    255, 255, 'b', 255, 't', 255, 'f', 255, 255, 255, 255, 255, '\\', 255, 'n', '/',
};

#define EACH(byte) _mm256_set1_epi8((char)(byte))

INLINED __m256i loaded(const uint8_t *bytes) {
    return _mm256_loadu_si256((const __m256i *)bytes);
}

/// The entry of `table` for each byte of `indices`, by its low half; zero for those above 0x7F.
INLINED __m256i looked_up(const uint8_t *table, __m256i indices) {
    __m128i entries = _mm_loadu_si128((const __m128i *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), indices);
}

/// The bytes of `block` moved back by `places`, with the last ones of `before` in front.
#define SHIFTED(block, before, places) \
    _mm256_alignr_epi8(block, _mm256_permute2x128_si256(before, block, 0x21), 16 - (places))

/// Not zero at the bytes of `block` that are no UTF-8 behind those of `before`.
INLINED __m256i sequence_faults(__m256i block, __m256i before) {
    __m256i first = SHIFTED(block, before, 1);
    __m256i first_high = _mm256_and_si256(_mm256_srli_epi16(first, 4), EACH(0x0F));
    __m256i first_low = _mm256_and_si256(first, EACH(0x0F));
    __m256i second_high = _mm256_and_si256(_mm256_srli_epi16(block, 4), EACH(0x0F));
    __m256i of_first = _mm256_and_si256(looked_up(of_first_high, first_high), looked_up(of_first_low, first_low));
    __m256i faults = _mm256_and_si256(of_first, looked_up(of_second_high, second_high));
    // The highest bit is left where a lead of three or four bytes is two places in front, or one of four bytes three.
    __m256i third = _mm256_subs_epu8(SHIFTED(block, before, 2), EACH(0xE0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(SHIFTED(block, before, 3), EACH(0xF0 - 0x80));
    __m256i tails_due = _mm256_and_si256(_mm256_or_si256(third, fourth), EACH(TWO_TAILS));
    return _mm256_xor_si256(tails_due, faults);
}

/// One bit for each byte of a block, the first byte's the lowest, from the high bits of its two vectors.
INLINED uint64_t bits(__m256i low, __m256i high) {
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

INLINED uint64_t bits_equal(__m256i low, __m256i high, char byte) {
    return bits(_mm256_cmpeq_epi8(low, EACH(byte)), _mm256_cmpeq_epi8(high, EACH(byte)));
}

/// All bits set in each byte that together with a backslash is an escape, except for the quote and `u`.
INLINED __m256i letters(__m256i block) {
    // `r` shares its low half with `b`.
    __m256i others = _mm256_cmpeq_epi8(looked_up(of_letters, block), block);
    return _mm256_or_si256(others, _mm256_cmpeq_epi8(block, EACH('r')));
}

/// All bits set in each byte that is below 0x20.
INLINED __m256i controls(__m256i block) {
    return _mm256_cmpeq_epi8(_mm256_min_epu8(block, EACH(0x1F)), block);
}

/// All bits set in each byte that is a hexadecimal digit.
INLINED __m256i hexadecimals(__m256i block) {
    __m256i digit = _mm256_sub_epi8(block, EACH('0'));
    __m256i letter = _mm256_sub_epi8(_mm256_or_si256(block, EACH(0x20)), EACH('a'));
    return _mm256_or_si256(
        _mm256_cmpeq_epi8(_mm256_min_epu8(digit, EACH(9)), digit),
        _mm256_cmpeq_epi8(_mm256_min_epu8(letter, EACH(5)), letter)
    );
}

/// Where a scan is, and what the blocks up to there leave to the next one: that its first byte is escaped, and which
/// of its bytes must be digits.
struct scan {
    const uint8_t *bytes;
    ptrdiff_t count, start, position;
    uint64_t escaped_first, digits_first;
    bool has_escapes;
};
enum result { ENDED, HAS_SEQUENCES, HAS_NUMBERS };

/// Ends the scan at `position`, or where the sequence or escape starts that `position` is within.
static enum result end(struct scan *scan, ptrdiff_t position, bool is_within_escape) {
    const uint8_t *bytes = scan->bytes;
    if (is_within_escape) {
        do position -= 1; while (bytes[position] != '\\');
    } else if (position >= scan->start + 3) {
        if (bytes[position - 1] >= 0xC0) position -= 1;
        else if (bytes[position - 2] >= 0xE0) position -= 2;
        else if (bytes[position - 3] >= 0xF0) position -= 3;
    }
    scan->position = position;
    return ENDED;
}

/// Passes blocks up to the end of the scan, or to one that needs a pass which looks for more. Each pass has code of its
/// own: in a text that has such letters here and there, a branch on each block would often be mispredicted.
INLINED enum result pass_blocks(struct scan *scan, const bool checks_sequences, const bool reads_numbers) {
    const uint64_t even = 0x5555555555555555;
    uint64_t escaped_first = scan->escaped_first, digits_first = scan->digits_first, passed_escapes = 0;
    ptrdiff_t position = scan->position;
    __m256i before = _mm256_setzero_si256();
    if (checks_sequences && position > scan->start) before = loaded(scan->bytes + position - 32);
    enum result result = ENDED;
    for (; scan->count - position >= 64; position += 64) {
        __m256i low = loaded(scan->bytes + position), high = loaded(scan->bytes + position + 32);
        if (checks_sequences) {
            __m256i faults = _mm256_or_si256(sequence_faults(low, before), sequence_faults(high, low));
            if (!_mm256_testz_si256(faults, faults)) break;
        } else if (_mm256_movemask_epi8(_mm256_or_si256(low, high)) != 0) {
            result = HAS_SEQUENCES;
            break;
        }
        uint64_t quotes = bits_equal(low, high, '"');
        // In a row of backslashes every other one escapes, from its first on. The sum moves the bits of the rows that
        // start at even places behind their ends, so what is left in a row tells which of its places escape.
        uint64_t rows = bits_equal(low, high, '\\') & ~escaped_first;
        uint64_t escapes = rows & ((rows + (rows & ~(rows << 1) & even)) ^ even);
        uint64_t escaped = escapes << 1 | escaped_first;
        uint64_t unknown = escaped & ~(bits(letters(low), letters(high)) | quotes);
        uint64_t digits = 0, digits_next = 0;
        if (reads_numbers) {
            uint64_t numbers = unknown & bits_equal(low, high, 'u');
            uint64_t pairs = numbers << 1 | numbers << 2;
            digits = pairs | pairs << 2 | digits_first;
            unknown = (unknown & ~numbers) | (digits & ~bits(hexadecimals(low), hexadecimals(high)));
            numbers = numbers >> 60 | numbers >> 61;
            digits_next = numbers | numbers >> 2;
        }
        uint64_t stops = (quotes & ~escaped) | unknown;
        if (stops != 0 || _mm256_movemask_epi8(controls(_mm256_min_epu8(low, high))) != 0) {
            stops |= bits(controls(low), controls(high));
            int stop = __builtin_ctzll(stops);
            bool is_escaped = (escaped >> stop & 1) != 0;
            if (!reads_numbers && is_escaped && scan->bytes[position + stop] == 'u') {
                result = HAS_NUMBERS;
                break;
            }
            scan->has_escapes |= (passed_escapes | (escapes & ((1ull << stop) - 1))) != 0;
            return end(scan, position + stop, is_escaped || (digits >> stop & 1) != 0);
        }
        passed_escapes |= escapes;
        escaped_first = escapes >> 63;
        digits_first = digits_next;
        before = high;
    }
    scan->has_escapes |= passed_escapes != 0;
    if (result == ENDED) return end(scan, position, (escaped_first | digits_first) != 0);
    scan->position = position;
    scan->escaped_first = escaped_first;
    scan->digits_first = digits_first;
    return result;
}

VECTOR ptrdiff_t martlet_end_of_string_blocks(const void *text, ptrdiff_t count, ptrdiff_t start, bool *has_escapes) {
    struct scan scan = {.bytes = text, .count = count, .start = start, .position = start};
    enum result result = pass_blocks(&scan, false, false);
    bool checks_sequences = false, reads_numbers = false;
    while (result != ENDED) {
        checks_sequences |= result == HAS_SEQUENCES;
        reads_numbers |= result == HAS_NUMBERS;
        if (!reads_numbers) result = pass_blocks(&scan, true, false);
        else if (!checks_sequences) result = pass_blocks(&scan, false, true);
        else result = pass_blocks(&scan, true, true);
    }
    *has_escapes |= scan.has_escapes;
    return scan.position;
}

#else

bool martlet_has_string_scan(void) {
    return false;
}

ptrdiff_t martlet_end_of_string_blocks(const void *text, ptrdiff_t count, ptrdiff_t start, bool *has_escapes) {
    (void)text, (void)count, (void)has_escapes;
    return start;
}

#endif
