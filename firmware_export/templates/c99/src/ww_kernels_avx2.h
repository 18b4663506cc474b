/* x86 with AVX2, for the host tool: sixteen products an instruction, eight values side by side. The
 * same numbers. Chosen when it runs; part of ww_kernels.c. */
#ifndef WW_KERNELS_AVX2_H
#define WW_KERNELS_AVX2_H

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* The upper words of x * multiplier + rounding, a rounding for each product of 64 bits. */
static inline AVX2 __m256i upper_words(__m256i x, __m256i multiplier, int64_t rounding)
{
    const __m256i half = _mm256_set1_epi64x(rounding);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, multiplier), half);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(multiplier, 32)), half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

/* Shifted right by `down` and one more, halves up after the first. */
static inline AVX2 __m256i shifted(__m256i x, __m256i down)
{
    const __m256i one = _mm256_set1_epi32(1);
    return _mm256_srai_epi32(_mm256_add_epi32(_mm256_srav_epi32(x, down), one), 1);
}

/* rescale_down of eight. */
static inline AVX2 __m256i eight_down(__m256i x, __m256i multiplier, __m256i exponent)
{
    const __m256i high = upper_words(_mm256_slli_epi32(x, 1), multiplier, (int64_t)1 << 31);
    const __m256i negative = _mm256_srli_epi32(high, 31);
    const __m256i down = _mm256_xor_si256(exponent, _mm256_set1_epi32(-1)); /* -exponent - 1 */
    const __m256i result = shifted(_mm256_sub_epi32(high, negative), down);
    return _mm256_blendv_epi8(result, high, _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256()));
}

static inline AVX2 __m256i eight_values(const int8_t *from, int32_t zero)
{
    const __m256i values = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
    return _mm256_sub_epi32(values, _mm256_set1_epi32(zero));
}

static inline AVX2 void store_eight(int8_t *to, __m256i values, int32_t zero)
{
    const __m256i sum = _mm256_add_epi32(values, _mm256_set1_epi32(zero));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    _mm_storel_epi64((__m128i *)(void *)to, _mm_packs_epi16(words, words));
}

/* Each returns how many values it made. */
static AVX2 size_t add_by_eight(int8_t *to, const int8_t *a, const int8_t *b, size_t size,
                                const ww_pair *p)
{
    const __m256i by = _mm256_set1_epi32(p->b.multiplier), down = _mm256_set1_epi32(p->b.exponent);
    const __m256i of_sum = _mm256_set1_epi32(p->out.multiplier);
    const __m256i sum_down = _mm256_set1_epi32(p->out.exponent);
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        const __m256i first = _mm256_slli_epi32(eight_values(a + i, p->zero_a), 19);
        const __m256i other = _mm256_slli_epi32(eight_values(b + i, p->zero_b), 20);
        const __m256i sum = _mm256_add_epi32(first, eight_down(other, by, down));
        store_eight(to + i, eight_down(sum, of_sum, sum_down), p->zero);
    }
    return i;
}

static AVX2 size_t multiply_by_eight(int8_t *to, const int8_t *a, const int8_t *b, size_t size,
                                     const ww_pair *p)
{
    const __m256i by = _mm256_set1_epi32(p->out.multiplier);
    const __m256i down = _mm256_set1_epi32(p->out.exponent);
    size_t i = 0;
    for (; p->out.exponent <= 0 && i + 8 <= size; i += 8) {
        const __m256i product =
            _mm256_mullo_epi32(eight_values(a + i, p->zero_a), eight_values(b + i, p->zero_b));
        store_eight(to + i, eight_down(product, by, down), p->zero);
    }
    return i;
}

/* finish() for eight outputs; 0 where a scale is too large for it. */
static AVX2 int finish_eight(int8_t *to, const __m256i sums, const ww_scale *scales,
                             const ww_product *p)
{
    int32_t multipliers[8], exponents[8], largest = INT8_MIN;
    for (int i = 0; i < 8; i++) {
        const ww_scale scale = scales[i * p->scale_step];
        multipliers[i] = scale.multiplier;
        exponents[i] = scale.exponent;
        largest = scale.exponent > largest ? scale.exponent : largest;
    }
    if (largest > (p->once ? -2 : 0)) {
        return 0;
    }
    const __m256i by = _mm256_loadu_si256((const __m256i *)(const void *)multipliers);
    const __m256i exponent = _mm256_loadu_si256((const __m256i *)(const void *)exponents);
    const __m256i down = _mm256_sub_epi32(_mm256_set1_epi32(-2), exponent);
    store_eight(to, p->once ? shifted(upper_words(sums, by, 0), down) : eight_down(sums, by, exponent),
                p->zero);
    return 1;
}

static inline AVX2 __m128i load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline AVX2 __m128i halves(__m256i value)
{
    return _mm_add_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
}

static inline AVX2 void add_sixteen(__m256i *both, __m256i *low, __m256i values,
                                    const uint32_t *weights)
{
    const __m256i word = _mm256_loadu_si256((const __m256i *)(const void *)weights);
    const __m256i low_bytes = _mm256_srai_epi16(_mm256_slli_epi16(word, 8), 8);
    *both = _mm256_add_epi32(*both, _mm256_madd_epi16(values, word));
    *low = _mm256_add_epi32(*low, _mm256_madd_epi16(values, low_bytes));
}

static AVX2 void dense_by_sixteen(int8_t *to, const uint32_t *wide, const ww_product *p)
{
    const uint32_t *weights = p->pairs, *last = wide + p->taps / 2;
    const __m256i first = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    const __m256i next = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
    for (size_t output = 0; output < p->outputs; output += WW_TOGETHER) {
        __m128i sums[2] = {load(p->bias + output), load(p->bias + output + 4)};
        int32_t all[WW_TOGETHER];
        for (const uint32_t *value = wide; value != last;) {
            const uint32_t *end = last - value > WW_CHUNK / 2 ? value + WW_CHUNK / 2 : last;
            __m256i both = _mm256_setzero_si256(), low = both;
            for (; value != end; value += 4, weights += 16) {
                const __m256i four = _mm256_castsi128_si256(load(value));
                add_sixteen(&both, &low, _mm256_permutevar8x32_epi32(four, first), weights);
                add_sixteen(&both, &low, _mm256_permutevar8x32_epi32(four, next), weights + 8);
            }
            const __m128i b = halves(both), l = halves(low);
            const __m128i high = _mm_srai_epi32(_mm_sub_epi32(b, l), 8);
            sums[0] = _mm_add_epi32(sums[0], _mm_unpacklo_epi32(high, l));
            sums[1] = _mm_add_epi32(sums[1], _mm_unpackhi_epi32(high, l));
        }
        const __m256i eight = _mm256_inserti128_si256(_mm256_castsi128_si256(sums[0]), sums[1], 1);
        if (output + 8 > p->outputs ||
            !finish_eight(to + output, eight, p->scales + output * p->scale_step, p)) {
            memcpy(all, sums, sizeof all);
            finish(to + output, all, output, least(WW_TOGETHER, p->outputs - output), p);
        }
    }
}

static void dense_here(int8_t *to, const uint32_t *wide, const ww_product *p)
{
    if (__builtin_cpu_supports("avx2")) {
        dense_by_sixteen(to, wide, p);
    } else {
        dense(to, wide, p);
    }
}

static size_t add_here(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *p)
{
    return __builtin_cpu_supports("avx2") ? add_by_eight(to, a, b, size, p) : 0;
}

static size_t multiply_here(int8_t *to, const int8_t *a, const int8_t *b, size_t size,
                            const ww_pair *p)
{
    return __builtin_cpu_supports("avx2") ? multiply_by_eight(to, a, b, size, p) : 0;
}

#endif
