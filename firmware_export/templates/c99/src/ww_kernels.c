#include "ww_kernels.h"

#include <string.h>

#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
#include <arm_acle.h>
#endif

#define WW_TOGETHER 8 /* outputs whose sums grow side by side */
#define WW_CHUNK 512 /* of products that a sum can hold besides 256 times another: 128 * 127 each */

#if defined(__GNUC__)
#define WW_APART static __attribute__((noinline)) /* with all registers to itself, or rarely run */
#else
#define WW_APART static
#endif

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

/* x times a scale of 1 at most, rounded after the product and again after the shift, as gemmlowp
 * does. |x| is under 2^30. */
static int32_t rescale_down(int32_t x, ww_scale scale)
{
    const int32_t high = half_product(x, scale.multiplier);
    if (scale.exponent == 0) {
        return high;
    }
    return (((high - (high < 0)) >> (-scale.exponent - 1)) + 1) >> 1; /* halves away from zero */
}

WW_APART int32_t rescale_up(int32_t x, ww_scale scale)
{
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << scale.exponent) * scale.multiplier;
    return (int32_t)((product + ((int64_t)1 << 30)) >> 31); /* halves up */
}

static int32_t rescale(int32_t x, ww_scale scale)
{
    return scale.exponent > 0 ? rescale_up(x, scale) : rescale_down(x, scale);
}

WW_APART int32_t rescale_once_from(int64_t product, int exponent)
{
    return (int32_t)((product + ((int64_t)1 << (30 - exponent))) >> (31 - exponent));
}

/* x times the scale, rounded once, halves up, as ruy does. */
static int32_t rescale_once(int32_t x, ww_scale scale)
{
    const int64_t product = (int64_t)x * scale.multiplier;
    if (scale.exponent >= -1) {
        return rescale_once_from(product, scale.exponent);
    } /* the product's lower word cannot change the result */
    return (((int32_t)(product >> 32) >> (-2 - scale.exponent)) + 1) >> 1;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int8_t clamp(int32_t x, int32_t low, int32_t high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}

static int8_t saturate(int32_t x)
{
#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
    int32_t value;
    __asm__("ssat %0, #8, %1" : "=r"(value) : "r"(x));
    return (int8_t)value;
#else
    return clamp(x, INT8_MIN, INT8_MAX);
#endif
}

/* What a fused activation leaves of values that are int8 already. */
static void narrow(int8_t *values, size_t size, int32_t low, int32_t high)
{
    if (low > INT8_MIN || high < INT8_MAX) {
        for (size_t i = 0; i < size; i++) {
            values[i] = clamp(values[i], low, high);
        }
    }
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

/* ---- Sums of products ----
 *
 * Two outputs share a word of weights: each half is 256 * a + b, a and b being the weights of the
 * two at one input. Then sum(x * half) is 256 * sum(x * a) + sum(x * b), and sum(x * b) comes from
 * the low bytes: four products take two multiplications of pairs and one extraction. */

/* The products of the values before `end` with the weights of WW_TOGETHER outputs; there are at most
 * WW_CHUNK values, a multiple of 8. */
#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
/* Cortex-M4, M7, M33: two products an instruction. The sums are the same. */
#define TWICE(value, word, both, low)                                                            \
    both = __smlad((int16x2_t)(value), (int16x2_t)(word), both);                                 \
    low = __smlad((int16x2_t)(value), __sxtb16((int8x4_t)(word)), low)

#define EIGHT(value, words)                                                                      \
    TWICE(value, (words)[0], both_a, low_a);                                                     \
    TWICE(value, (words)[1], both_b, low_b);                                                     \
    TWICE(value, (words)[2], both_c, low_c);                                                     \
    TWICE(value, (words)[3], both_d, low_d)

WW_APART void add_products(const uint32_t *value, const uint32_t *end, const uint32_t *weights,
                           int32_t sums[WW_TOGETHER])
{
    int32_t both_a = 0, both_b = 0, both_c = 0, both_d = 0, low_a = 0, low_b = 0, low_c = 0, low_d = 0;
    for (; value != end; value += 4, weights += 16) {
        EIGHT(value[0], weights);
        EIGHT(value[1], weights + 4);
        EIGHT(value[2], weights + 8);
        EIGHT(value[3], weights + 12);
    }
    sums[0] += (both_a - low_a) >> 8;
    sums[1] += low_a;
    sums[2] += (both_b - low_b) >> 8;
    sums[3] += low_b;
    sums[4] += (both_c - low_c) >> 8;
    sums[5] += low_c;
    sums[6] += (both_d - low_d) >> 8;
    sums[7] += low_d;
}
#else
/* Two values times the weights of two outputs; both sums grow. */
#define TWICE(value, word, both, low)                                                            \
    both += (int16_t)(value) * (int16_t)(word);                                                  \
    low += (int16_t)(value) * (int8_t)(word);                                                    \
    both += (int16_t)((value) >> 16) * (int16_t)((word) >> 16);                                  \
    low += (int16_t)((value) >> 16) * (int8_t)((word) >> 16)

WW_APART void add_products(const uint32_t *values, const uint32_t *end, const uint32_t *weights,
                           int32_t sums[WW_TOGETHER])
{
    for (int i = 0; i < WW_TOGETHER; i += 2, weights++) {
        const uint32_t *word = weights;
        int32_t both = 0, low = 0;
        for (const uint32_t *value = values; value != end; value += 4, word += 16) {
            TWICE(value[0], word[0], both, low);
            TWICE(value[1], word[4], both, low);
            TWICE(value[2], word[8], both, low);
            TWICE(value[3], word[12], both, low);
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
    const int32_t zero = p->zero;
    const size_t step = p->scale_step;
    const ww_scale *scale = p->scales + output * step;
    if (p->once) {
        for (size_t i = 0; i < count; i++, scale += step) {
            to[i] = saturate(rescale_once(sums[i], *scale) + zero);
        }
    } else {
        for (size_t i = 0; i < count; i++, scale += step) {
            to[i] = saturate(rescale(sums[i], *scale) + zero);
        }
    }
}

static void dense(int8_t *to, const uint32_t *wide, const ww_product *p)
{
    const uint32_t *weights = p->pairs, *last = wide + p->taps / 2;
    for (size_t output = 0; output < p->outputs; output += WW_TOGETHER) {
        int32_t sums[WW_TOGETHER];
        memcpy(sums, p->bias + output, sizeof sums);
        for (const uint32_t *value = wide; value != last;) {
            const uint32_t *end = last - value > WW_CHUNK / 2 ? value + WW_CHUNK / 2 : last;
            add_products(value, end, weights, sums);
            weights += WW_TOGETHER / 2 * (end - value);
            value = end;
        }
        finish(to + output, sums, output, least(WW_TOGETHER, p->outputs - output), p);
    }
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(WW_PLAIN_C)
#include "ww_kernels_avx2.h"
#else
#define dense_here dense
#define add_here(to, a, b, size, pair) 0 /* values that are made already */
#define multiply_here(to, a, b, size, pair) 0
#endif

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
    int8_t *place = to;
    for (size_t y = 0; y < p->down; y++) {
        for (size_t x = 0; x < p->across; x++) {
            if (!p->widened) {
                widen(wide, from + y * p->down_step + x * p->across_step, p);
            }
            dense_here(place, wide, p);
            place += p->outputs;
        }
    }
    narrow(to, (size_t)(place - to), p->low, p->high);
}

void ww_depthwise(int8_t *to, const int8_t *from, const ww_product *p)
{
    const size_t outputs_of_channel = (size_t)(p->outputs / p->depth);
    int8_t *place = to;
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
                finish(place++, &sum, output, 1, p);
            }
        }
    }
    narrow(to, (size_t)(place - to), p->low, p->high);
}

/* ---- Two tensors ---- */

void ww_add(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *pair)
{
    const ww_scale by = pair->b, of_sum = pair->out;
    const int32_t zeros = pair->zero_a * (1 << 19), zero_b = pair->zero_b, zero = pair->zero;
    for (size_t i = add_here(to, a, b, size, pair); i < size; i++) {
        const int32_t other = rescale_down((b[i] - zero_b) * (1 << 20), by);
        to[i] = saturate(rescale_down(a[i] * (1 << 19) - zeros + other, of_sum) + zero);
    }
    narrow(to, size, pair->low, pair->high);
}

void ww_multiply(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *pair)
{
    const ww_scale by = pair->out;
    const int32_t zero_a = pair->zero_a, zero_b = pair->zero_b, zero = pair->zero;
    for (size_t i = multiply_here(to, a, b, size, pair); i < size; i++) {
        to[i] = saturate(rescale((a[i] - zero_a) * (b[i] - zero_b), by) + zero);
    }
    narrow(to, size, pair->low, pair->high);
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
