/* x86 with AVX2, for the host tool: sixteen products an instruction, four sums at once. The same
 * numbers. Chosen when it runs; part of ww_kernels.c. */
#ifndef WW_KERNELS_AVX2_H
#define WW_KERNELS_AVX2_H

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

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
        memcpy(all, sums, sizeof all);
        finish(to + output, all, output, least(WW_TOGETHER, p->outputs - output), p);
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

#endif
