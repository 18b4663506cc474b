#include "ww_kernels.h"

#include <string.h>

/* x times the scale, rounded after the product and again after the shift, as gemmlowp does. */
static int32_t rescale(int32_t x, ww_scale scale)
{
    const int32_t shifted = scale.exponent > 0 ? (int32_t)((uint32_t)x << scale.exponent) : x;
    const int64_t product = (int64_t)shifted * scale.multiplier;
    const int32_t high = (int32_t)((product + ((int64_t)1 << 30)) >> 31); /* halves up */
    if (scale.exponent >= 0) {
        return high;
    }
    const int32_t half = (int32_t)1 << (-scale.exponent - 1);
    return (high + half - (high < 0)) >> -scale.exponent; /* halves away from zero */
}

/* The same, rounded once, halves up, as ruy does. */
static int32_t rescale_once(int32_t x, ww_scale scale)
{
    const int64_t half = (int64_t)1 << (30 - scale.exponent);
    return (int32_t)(((int64_t)x * scale.multiplier + half) >> (31 - scale.exponent));
}

static int8_t clamp(int32_t x, int16_t low, int16_t high)
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
    for (size_t i = 0; i < size; i++) {
        const int32_t sum = rescale((a[i] - pair->zero_a) * (1 << 20), pair->a) +
                            rescale((b[i] - pair->zero_b) * (1 << 20), pair->b);
        to[i] = clamp(rescale(sum, pair->out) + pair->zero, pair->low, pair->high);
    }
}

void ww_multiply(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *pair)
{
    for (size_t i = 0; i < size; i++) {
        const int32_t product = (a[i] - pair->zero_a) * (b[i] - pair->zero_b);
        to[i] = clamp(rescale(product, pair->out) + pair->zero, pair->low, pair->high);
    }
}

/* ---- Sums of products ---- */

/* Four outputs at once: sums[i] += the products of the values with the weights i * step on. */
#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
/* Cortex-M4, M7, M33: two products an instruction. The sums are the same. */
#include <arm_acle.h>

static uint32_t four(const int8_t *values)
{
    uint32_t word;
    memcpy(&word, values, sizeof word);
    return word;
}

/* The first and third of four, and the second and fourth, as two int16. */
static int16x2_t odd(uint32_t word)
{
    return __sxtb16((int8x4_t)word);
}

static int16x2_t even(uint32_t word)
{
    int16x2_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

static void add_products(const int8_t *values, const int8_t *weights, size_t step, size_t size,
                         int32_t sums[4])
{
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    for (; size >= 4; size -= 4) {
        const uint32_t value = four(values);
        const int16x2_t odd_value = odd(value), even_value = even(value);
        uint32_t weight = four(weights);
        sum0 = __smlad(even_value, even(weight), __smlad(odd_value, odd(weight), sum0));
        weight = four(weights + step);
        sum1 = __smlad(even_value, even(weight), __smlad(odd_value, odd(weight), sum1));
        weight = four(weights + 2 * step);
        sum2 = __smlad(even_value, even(weight), __smlad(odd_value, odd(weight), sum2));
        weight = four(weights + 3 * step);
        sum3 = __smlad(even_value, even(weight), __smlad(odd_value, odd(weight), sum3));
        values += 4;
        weights += 4;
    }
    for (; size > 0; size--, values++, weights++) {
        sum0 += *values * weights[0];
        sum1 += *values * weights[step];
        sum2 += *values * weights[2 * step];
        sum3 += *values * weights[3 * step];
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}
#elif defined(__SSE2__) && !defined(WW_PLAIN_C)
/* x86: eight products an instruction, for the host tool. The sums are the same. */
#include <emmintrin.h>

static __m128i low_half(__m128i bytes)
{
    return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}

static __m128i high_half(__m128i bytes)
{
    return _mm_srai_epi16(_mm_unpackhi_epi8(bytes, bytes), 8);
}

static void add_products(const int8_t *values, const int8_t *weights, size_t step, size_t size,
                         int32_t sums[4])
{
    __m128i all[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(),
                      _mm_setzero_si128()};
    size_t k = 0;
    for (; k + 16 <= size; k += 16) {
        const __m128i value = _mm_loadu_si128((const __m128i *)(values + k));
        const __m128i low = low_half(value), high = high_half(value);
        for (size_t i = 0; i < 4; i++) {
            const __m128i weight = _mm_loadu_si128((const __m128i *)(weights + i * step + k));
            all[i] = _mm_add_epi32(all[i], _mm_add_epi32(_mm_madd_epi16(low, low_half(weight)),
                                                         _mm_madd_epi16(high, high_half(weight))));
        }
    }
    for (size_t i = 0; i < 4; i++) {
        int32_t parts[4];
        _mm_storeu_si128((__m128i *)parts, all[i]);
        sums[i] += parts[0] + parts[1] + parts[2] + parts[3];
        for (size_t rest = k; rest < size; rest++) {
            sums[i] += values[rest] * weights[i * step + rest];
        }
    }
}
#else
static void add_products(const int8_t *values, const int8_t *weights, size_t step, size_t size,
                         int32_t sums[4])
{
    for (int i = 0; i < 4; i += 2, weights += 2 * step) {
        const int8_t *next_weights = weights + step;
        int32_t sum = sums[i], next_sum = sums[i + 1];
        for (size_t k = 0; k < size; k++) {
            sum += values[k] * weights[k];
            next_sum += values[k] * next_weights[k];
        }
        sums[i] = sum;
        sums[i + 1] = next_sum;
    }
}
#endif

static int8_t finish(int32_t sum, size_t output, const ww_product *p)
{
    const ww_scale scale = p->scales[output * p->scale_step];
    const int32_t scaled = p->once ? rescale_once(sum, scale) : rescale(sum, scale);
    return clamp(scaled + p->zero, p->low, p->high);
}

void ww_dense(int8_t *to, const int8_t *from, const ww_product *p)
{
    const size_t taps = (size_t)p->rows * p->row_size;
    for (size_t y = 0; y < p->down; y++) {
        for (size_t x = 0; x < p->across; x++) {
            const int8_t *window = from + y * p->down_step + x * p->across_step;
            const int8_t *weights = p->weights;
            size_t output = 0;
            for (; output + 4 <= p->outputs; output += 4, weights += 4 * taps) {
                int32_t sums[4];
                memcpy(sums, p->bias + output, sizeof sums);
                for (size_t row = 0; row < p->rows; row++) {
                    add_products(window + row * p->row_step, weights + row * p->row_size, taps,
                                 p->row_size, sums);
                }
                for (size_t i = 0; i < 4; i++) {
                    *to++ = finish(sums[i], output + i, p);
                }
            }
            for (; output < p->outputs; output++, weights += taps) { /* what is left of four */
                int32_t sums[4] = {p->bias[output], 0, 0, 0};
                for (size_t row = 0; row < p->rows; row++) {
                    add_products(window + row * p->row_step, weights + row * p->row_size, 0,
                                 p->row_size, sums);
                }
                *to++ = finish(sums[0], output, p);
            }
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
                *to++ = finish(sum, output, p);
            }
        }
    }
}

/* ---- Pools ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

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
