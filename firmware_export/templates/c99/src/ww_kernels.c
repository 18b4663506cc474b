#include "ww_kernels.h"

#include <string.h>

#define WW_CHUNK 512 /* of products that a sum can hold besides 256 times another: 128 * 127 each */

/* x * multiplier / 2^31, halves rounded up; |x| is under 2^30. Doubled, so that no shift over two
 * words is left. */
static int32_t half_product(int32_t x, int32_t multiplier)
{
#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(2 * x), "r"(multiplier));
    return high;
#else
    return (int32_t)(((int64_t)(2 * x) * multiplier + ((int64_t)1 << 31)) >> 32);
#endif
}

/* x times the scale, rounded after the product and again after the shift, as gemmlowp does.
 * |x| is under 2^30. */
static int32_t rescale(int32_t x, ww_scale scale)
{
    if (scale.exponent > 0) {
        const int64_t product = (int64_t)(int32_t)((uint32_t)x << scale.exponent) * scale.multiplier;
        return (int32_t)((product + ((int64_t)1 << 30)) >> 31); /* halves up */
    }
    const int32_t high = half_product(x, scale.multiplier);
    if (scale.exponent == 0) {
        return high;
    }
    const int32_t half = (int32_t)1 << (-scale.exponent - 1);
    return (high + half - (high < 0)) >> -scale.exponent; /* halves away from zero */
}

/* A scale of 1 at most, prepared for many values. */
typedef struct {
    int32_t multiplier, half;
    uint32_t away; /* 0 where nothing is shifted and so nothing is rounded twice */
    int shift;
} falling;

static falling falling_of(ww_scale scale)
{
    const int shift = -scale.exponent;
    const falling prepared = {scale.multiplier, (1 << shift) >> 1, shift != 0, shift};
    return prepared;
}

static int32_t rescale_falling(int32_t x, falling scale)
{
    const int32_t high = half_product(x, scale.multiplier);
    return (high + scale.half - (int32_t)((uint32_t)high >> 31 & scale.away)) >> scale.shift;
}

/* x times the scale, rounded once, halves up, as ruy does. */
static int32_t rescale_once(int32_t x, ww_scale scale)
{
    const int64_t product = (int64_t)x * scale.multiplier;
    if (scale.exponent < -1) { /* the product's lower word cannot change the result */
        return ((int32_t)(product >> 32) + (1 << (-2 - scale.exponent))) >> (-1 - scale.exponent);
    }
    return (int32_t)((product + ((int64_t)1 << (30 - scale.exponent))) >> (31 - scale.exponent));
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int8_t clamp(int32_t x, int32_t low, int32_t high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}

void ww_copy(int8_t *to, const int8_t *from, size_t block, size_t count, ptrdiff_t to_step,
             ptrdiff_t from_step)
{
    for (; count > 0; count--) {
        memmove(to, from, block);
        to += count > 1 ? to_step : 0; /* not beyond the last */
        from += count > 1 ? from_step : 0;
    }
}

void ww_table(int8_t *to, const int8_t *from, size_t size, const uint8_t table[256])
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (int8_t)table[(uint8_t)from[i]];
    }
}

void ww_add(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *pair)
{
    const ww_pair p = *pair; /* which `to` may not overlap, but no compiler knows */
    const falling by_a = falling_of(p.a), by_b = falling_of(p.b), by_out = falling_of(p.out);
    for (size_t i = 0; i < size; i++) {
        const int32_t sum = rescale_falling((a[i] - p.zero_a) * (1 << 20), by_a) +
                            rescale_falling((b[i] - p.zero_b) * (1 << 20), by_b);
        to[i] = clamp(rescale_falling(sum, by_out) + p.zero, p.low, p.high);
    }
}

void ww_multiply(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *pair)
{
    const ww_pair p = *pair;
    for (size_t i = 0; i < size; i++) {
        const int32_t product = (a[i] - p.zero_a) * (b[i] - p.zero_b);
        to[i] = clamp(rescale(product, p.out) + p.zero, p.low, p.high);
    }
}

/* ---- Sums of products ----
 *
 * Two outputs share a word of weights: each half is 256 * a + b, a and b being the weights of the
 * two at one input. Then sum(x * half) is 256 * sum(x * a) + sum(x * b), and sum(x * b) comes from
 * the low bytes: four products take two multiplications of pairs and one extraction. */

/* Four outputs at once, over at most WW_CHUNK values. `size` is a multiple of 8. */
#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
/* Cortex-M4, M7, M33: two products an instruction. The sums are the same. */
#include <arm_acle.h>

/* Two values times the weights of two outputs; both sums grow. */
#define TWICE(value, word, both, low)                                                            \
    both = __smlad((int16x2_t)(value), (int16x2_t)(word), both);                                 \
    low = __smlad((int16x2_t)(value), __sxtb16((int8x4_t)(word)), low)

static void add_products(const uint32_t *values, const uint32_t *weights, size_t size,
                         int32_t sums[4])
{
    int32_t both = 0, low = 0, next_both = 0, next_low = 0;
    for (const uint32_t *end = values + size / 2; values != end; values += 4, weights += 8) {
        TWICE(values[0], weights[0], both, low);
        TWICE(values[0], weights[1], next_both, next_low);
        TWICE(values[1], weights[2], both, low);
        TWICE(values[1], weights[3], next_both, next_low);
        TWICE(values[2], weights[4], both, low);
        TWICE(values[2], weights[5], next_both, next_low);
        TWICE(values[3], weights[6], both, low);
        TWICE(values[3], weights[7], next_both, next_low);
    }
    sums[0] += (both - low) >> 8;
    sums[1] += low;
    sums[2] += (next_both - next_low) >> 8;
    sums[3] += next_low;
}
#elif defined(__AVX2__) && !defined(WW_PLAIN_C)
/* x86: sixteen products an instruction, for the host tool. The sums are the same. */
#include <immintrin.h>

static void add_products(const uint32_t *values, const uint32_t *weights, size_t size,
                         int32_t sums[4])
{
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    __m256i both = _mm256_setzero_si256(), low = both;
    for (size_t k = 0; k < size; k += 8) {
        const __m256i word = _mm256_loadu_si256((const __m256i *)(const void *)(weights + k));
        const __m256i value = _mm256_permutevar8x32_epi32(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(values + k / 2))),
            twice);
        const __m256i low_bytes = _mm256_srai_epi16(_mm256_slli_epi16(word, 8), 8);
        both = _mm256_add_epi32(both, _mm256_madd_epi16(value, word));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(value, low_bytes));
    }
    const __m256i high = _mm256_srai_epi32(_mm256_sub_epi32(both, low), 8);
    const __m256i pairs = _mm256_add_epi32(_mm256_unpacklo_epi32(high, low),
                                           _mm256_unpackhi_epi32(high, low));
    __m128i all = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    all = _mm_add_epi32(all, _mm_loadu_si128((const __m128i *)(const void *)sums));
    _mm_storeu_si128((__m128i *)(void *)sums, all);
}
#else
/* Two values times the weights of two outputs; both sums grow. */
#define TWICE(value, word, both, low)                                                            \
    both += (int16_t)(value) * (int16_t)(word);                                                  \
    low += (int16_t)(value) * (int8_t)(word);                                                    \
    both += (int16_t)((value) >> 16) * (int16_t)((word) >> 16);                                  \
    low += (int16_t)((value) >> 16) * (int8_t)((word) >> 16)

static void add_products(const uint32_t *values, const uint32_t *weights, size_t size,
                         int32_t sums[4])
{
    for (int i = 0; i < 4; i += 2, weights++) {
        const uint32_t *word = weights;
        int32_t both = 0, low = 0;
        for (const uint32_t *value = values; value != values + size / 2; value += 4, word += 8) {
            TWICE(value[0], word[0], both, low);
            TWICE(value[1], word[2], both, low);
            TWICE(value[2], word[4], both, low);
            TWICE(value[3], word[6], both, low);
        }
        sums[i] += (both - low) >> 8;
        sums[i + 1] += low;
    }
}
#endif

/* Sums as the values of `count` outputs from number `output` on. */
static void finish(int8_t *to, const int32_t *sums, size_t output, size_t count,
                   const ww_product *p)
{
    const int32_t zero = p->zero, low = p->low, high = p->high;
    const size_t step = p->scale_step;
    const ww_scale *scale = p->scales + output * step;
    if (p->once) {
        for (size_t i = 0; i < count; i++, scale += step) {
            to[i] = clamp(rescale_once(sums[i], *scale) + zero, low, high);
        }
    } else {
        for (size_t i = 0; i < count; i++, scale += step) {
            to[i] = clamp(rescale(sums[i], *scale) + zero, low, high);
        }
    }
}

/* Four int8 as two pairs of int16, the first one low. */
static void widen_four(uint32_t to[2], const int8_t *from)
{
#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
    uint32_t four, even, odd;
    memcpy(&four, from, sizeof four);
    __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(four));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(four));
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(to[0]) : "r"(even), "r"(odd));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(to[1]) : "r"(odd), "r"(even));
#else
    to[0] = (uint16_t)from[0] | (uint32_t)(uint16_t)from[1] << 16;
    to[1] = (uint16_t)from[2] | (uint32_t)(uint16_t)from[3] << 16;
#endif
}

/* A window in one run, with zeros up to `p->taps`. */
static void widen(uint32_t *wide, const int8_t *window, const ww_product *p)
{
    const size_t size = p->row_size;
    if (p->rows == 1 && size % 4 == 0) {
        for (size_t i = 0; i < size; i += 4) {
            widen_four(wide + i / 2, window + i);
        }
        memset(wide + size / 2, 0, 2 * (p->taps - size));
        return;
    }
    memset(wide, 0, 2 * (size_t)p->taps);
    for (size_t at = 0, row = 0; row < p->rows; row++, window += p->row_step) {
        for (size_t i = 0; i < size; i++, at++) {
            wide[at / 2] |= (uint32_t)(uint16_t)window[i] << at % 2 * 16;
        }
    }
}

void ww_dense(int8_t *to, const int8_t *from, uint32_t *wide, const ww_product *p)
{
    for (size_t y = 0; y < p->down; y++) {
        for (size_t x = 0; x < p->across; x++) {
            const uint32_t *weights = p->pairs;
            if (!p->widened) {
                widen(wide, from + y * p->down_step + x * p->across_step, p);
            }
            for (size_t output = 0; output < p->outputs; output += 4) {
                int32_t sums[4];
                memcpy(sums, p->bias + output, sizeof sums);
                for (size_t at = 0; at < p->taps; at += WW_CHUNK) {
                    const size_t size = least(p->taps - at, WW_CHUNK);
                    add_products(wide + at / 2, weights, size, sums);
                    weights += size;
                }
                finish(to + output, sums, output, least(4, p->outputs - output), p);
            }
            to += p->outputs;
        }
    }
}

void ww_depthwise(int8_t *to, const int8_t *from, const ww_product *p)
{
    const size_t outputs_of_channel = (size_t)(p->outputs / p->depth);
    for (size_t y = 0; y < p->down; y++) {
        for (size_t x = 0; x < p->across; x++) {
            const int8_t *window = from + y * p->down_step + x * p->across_step;
            for (size_t output = 0; output < p->outputs; output++) {
                const int8_t *weight = p->weights + output;
                int32_t sum = p->bias[output];
                for (size_t row = 0; row < p->rows; row++) {
                    const int8_t *value = window + row * p->row_step + output / outputs_of_channel;
                    for (size_t tap = 0; tap < p->row_size; tap += p->depth) {
                        sum += value[tap] * *weight;
                        weight += p->outputs;
                    }
                }
                finish(to++, &sum, output, 1, p);
            }
        }
    }
}

/* ---- Pools ---- */

static void pool(int8_t *to, const int8_t *from, const ww_pool *p, int average)
{
    for (size_t y = 0; y < p->down; y++) {
        for (size_t x = 0; x < p->across; x++) {
            /* in the padded input; the window's part that lies in the input counts */
            const size_t top = y * p->stride_down, left = x * p->stride_across;
            const size_t bottom = least(top + p->window_height, (size_t)p->height + p->pad_top);
            const size_t right = least(left + p->window_width, (size_t)p->width + p->pad_left);
            for (size_t channel = 0; channel < p->depth; channel++) {
                int32_t sum = 0, largest = INT8_MIN, count = 0;
                for (size_t i = top > p->pad_top ? top : p->pad_top; i < bottom; i++) {
                    for (size_t j = left > p->pad_left ? left : p->pad_left; j < right; j++) {
                        const size_t place = (i - p->pad_top) * p->width + (j - p->pad_left);
                        const int32_t value = from[place * p->depth + channel];
                        sum += value;
                        largest = value > largest ? value : largest;
                        count++;
                    }
                }
                if (average) {
                    largest = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                }
                *to++ = clamp(largest, p->low, p->high);
            }
        }
    }
}

void ww_average_pool(int8_t *to, const int8_t *from, const ww_pool *p)
{
    pool(to, from, p, 1);
}

void ww_max_pool(int8_t *to, const int8_t *from, const ww_pool *p)
{
    pool(to, from, p, 0);
}
