/* x86 with AVX2, for the host tool: four butterflies, bins or pairs side by side. The same numbers.
 * Chosen when it runs; part of ww_spectrum.c. */
#ifndef WW_SPECTRUM_AVX2_H
#define WW_SPECTRUM_AVX2_H

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline AVX2 __attribute__((always_inline))

AVX2_INLINE __m128i load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

AVX2_INLINE void store(void *p, __m128i value)
{
    _mm_storeu_si128((__m128i *)p, value);
}

AVX2_INLINE __m128i four_divided(__m128i values, int divisor)
{
    return _mm_mulhrs_epi16(values, _mm_set1_epi16((int16_t)(32767 / divisor)));
}

AVX2_INLINE __m128i four_conjugates(__m128i values)
{
    const __m128i im = _mm_set1_epi32(-65536);
    return _mm_sub_epi16(_mm_xor_si128(values, im), im);
}

AVX2_INLINE __m128i swapped(__m128i values)
{
    return _mm_shufflehi_epi16(_mm_shufflelo_epi16(values, 0xB1), 0xB1);
}

AVX2_INLINE __m128i four_products(__m128i values, __m128i factors)
{
    const __m128i half = _mm_set1_epi32(1 << 14);
    const __m128i re = _mm_add_epi32(_mm_madd_epi16(values, four_conjugates(factors)), half);
    const __m128i im = _mm_add_epi32(_mm_madd_epi16(values, swapped(factors)), half);
    return _mm_blend_epi16(_mm_srli_epi32(re, 15), _mm_slli_epi32(im, 1), 0xAA);
}

AVX2_INLINE void combine_four(__m128i p[4], __m128i a, __m128i b, __m128i c, __m128i d)
{
    const __m128i even = _mm_add_epi16(a, c), odd = _mm_add_epi16(b, d);
    const __m128i difference = _mm_sub_epi16(a, c);
    const __m128i turned = four_conjugates(swapped(_mm_sub_epi16(b, d))); /* by -i */
    p[0] = _mm_add_epi16(even, odd);
    p[1] = _mm_add_epi16(difference, turned);
    p[2] = _mm_sub_epi16(even, odd);
    p[3] = _mm_sub_epi16(difference, turned);
}

AVX2_INLINE void transpose(__m128i to[4], const __m128i from[4])
{
    const __m128i a = _mm_unpacklo_epi32(from[0], from[1]), b = _mm_unpackhi_epi32(from[0], from[1]);
    const __m128i c = _mm_unpacklo_epi32(from[2], from[3]), d = _mm_unpackhi_epi32(from[2], from[3]);
    to[0] = _mm_unpacklo_epi64(a, c);
    to[1] = _mm_unpackhi_epi64(a, c);
    to[2] = _mm_unpacklo_epi64(b, d);
    to[3] = _mm_unpackhi_epi64(b, d);
}

AVX2_INLINE void first_stage_by_four(int16_t x[2 * POINTS], int shift)
{
    for (int16_t *p = x; p < x + 2 * POINTS; p += 32) {
        __m128i given[4], parts[4];
        for (int i = 0; i < 4; i++) {
            given[i] = four_divided(_mm_sll_epi16(load(p + 8 * i), _mm_cvtsi32_si128(shift)), 4);
        }
        transpose(parts, given);
        combine_four(given, parts[0], parts[1], parts[2], parts[3]);
        transpose(parts, given);
        for (int i = 0; i < 4; i++) {
            store(p + 8 * i, parts[i]);
        }
    }
}

AVX2_INLINE __m128i four_factors(int k, int stride)
{
    int32_t words[4];
    for (int i = 0; i < 4; i++) {
        memcpy(&words[i], ww_twiddles + 2 * (k + i) * stride, sizeof *words);
    }
    return load(words);
}

AVX2_INLINE void stage_by_four(int16_t x[2 * POINTS], int step)
{
    const int stride = POINTS / 4 / step;
    for (int k = 0; k < step; k += 4) {
        const __m128i turn = four_factors(k, stride), next_turn = four_factors(k, 2 * stride);
        const __m128i last_turn = four_factors(k, 3 * stride);
        for (int16_t *p = x + 2 * k; p < x + 2 * POINTS; p += 8 * step) {
            __m128i parts[4];
            combine_four(parts, four_divided(load(p), 4),
                         four_products(four_divided(load(p + 2 * step), 4), turn),
                         four_products(four_divided(load(p + 4 * step), 4), next_turn),
                         four_products(four_divided(load(p + 6 * step), 4), last_turn));
            for (int i = 0; i < 4; i++) {
                store(p + 2 * step * i, parts[i]);
            }
        }
    }
}

/* The floor of half the sum, of half the difference. */
AVX2_INLINE __m128i four_half_sums(__m128i a, __m128i b)
{
    return _mm_add_epi16(_mm_and_si128(a, b), _mm_srai_epi16(_mm_xor_si128(a, b), 1));
}

AVX2_INLINE __m128i four_half_differences(__m128i a, __m128i b)
{
    const __m128i not_b = _mm_xor_si128(b, _mm_set1_epi16(-1));
    return _mm_sub_epi16(_mm_or_si128(a, not_b), _mm_srai_epi16(_mm_xor_si128(a, not_b), 1));
}

AVX2_INLINE void split_by_four(int16_t x[2 * POINTS])
{
    for (int k = 1; k <= POINTS / 2; k += 4) {
        int16_t *low = x + 2 * k, *high = x + 2 * (POINTS - k - 3);
        const __m128i mirrored = four_conjugates(_mm_shuffle_epi32(load(high), 0x1B));
        const __m128i a = four_divided(load(low), 2), b = four_divided(mirrored, 2);
        const __m128i sum = _mm_add_epi16(a, b);
        const __m128i turned =
            four_products(_mm_sub_epi16(a, b), load(ww_real_twiddles + 2 * (k - 1)));
        const __m128i first = four_half_sums(sum, turned);
        const __m128i last = _mm_blend_epi16(four_half_differences(sum, turned),
                                             four_half_differences(turned, sum), 0xAA);
        store(low, _mm_madd_epi16(first, first));
        store(high, _mm_shuffle_epi32(_mm_madd_epi16(last, last), 0x1B));
    }
}

static AVX2 void transform_by_four(int16_t x[2 * POINTS], int shift)
{
    first_stage_by_four(x, shift);
    stage_by_four(x, 4);
    stage_by_four(x, 16);
    stage_by_four(x, 64);
    split_by_four(x);
}

static AVX2 uint32_t window_by_eight(int16_t x[2 * POINTS], const int16_t *audio)
{
    __m256i bits = _mm256_setzero_si256();
    for (int k = 0; k < WW_WINDOW_SAMPLES / 2; k += 8) {
        const __m256i samples = _mm256_loadu_si256((const __m256i *)(const void *)(audio + 2 * k));
        const __m256i factors =
            _mm256_loadu_si256((const __m256i *)(const void *)(ww_window + 2 * k));
        const __m256i values = _mm256_or_si256(
            _mm256_slli_epi16(_mm256_mulhi_epi16(samples, factors), 16 - WW_WINDOW_BITS),
            _mm256_srli_epi16(_mm256_mullo_epi16(samples, factors), WW_WINDOW_BITS));
        uint32_t pairs[8];
        bits = _mm256_or_si256(bits, _mm256_abs_epi16(values));
        _mm256_storeu_si256((__m256i *)(void *)pairs, values);
        for (int i = 0; i < 8; i++) {
            memcpy(x + 2 * ww_fft_order[k + i], &pairs[i], sizeof *pairs);
        }
    }
    uint32_t words[8], all = 0;
    _mm256_storeu_si256((__m256i *)(void *)words, bits);
    for (int i = 0; i < 8; i++) {
        all |= words[i];
    }
    return all;
}

static uint32_t window_pairs_here(int16_t x[2 * POINTS], const int16_t *audio)
{
    return __builtin_cpu_supports("avx2") ? window_by_eight(x, audio) : window_pairs(x, audio);
}

static void transform_here(int16_t x[2 * POINTS], int shift)
{
    if (__builtin_cpu_supports("avx2")) {
        transform_by_four(x, shift);
    } else {
        transform(x, shift);
    }
}

#endif
