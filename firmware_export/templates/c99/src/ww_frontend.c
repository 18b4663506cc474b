#include "ww_frontend.h"

#include <string.h>

#include "ww_frontend_tables.h"

#define FFT_POINTS (WW_FFT_SIZE / 2) /* the real FFT is a complex one of half the size */

static int bit_length(uint32_t x)
{
#if defined(__GNUC__) && !defined(WW_PLAIN_C)
    return x == 0 ? 0 : 32 - __builtin_clz(x); /* an int has 32 bits wherever this runs */
#endif
    int bits = 0;
    for (; x != 0; x >>= 1) {
        bits++;
    }
    return bits;
}

/* ---- FFT. All roundings and wrap-arounds as in KISS FFT with FIXED_POINT=16. ---- */

typedef struct {
    int16_t re, im;
} complex16;

/* Radix-4 butterflies of p[0], p[step], p[2 * step] and p[3 * step], all but the first turned. */
#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
/* Cortex-M4, M7, M33: both parts in one word, real part low. The same numbers. */
#include <arm_acle.h>

static int16x2_t word_of(complex16 pair)
{
    int16x2_t word;
    memcpy(&word, &pair, sizeof word);
    return word;
}

static complex16 pair_of(int16x2_t word)
{
    complex16 pair;
    memcpy(&pair, &word, sizeof pair);
    return pair;
}

static int16x2_t word_at(const int16_t *table, int k)
{
    int16x2_t word;
    memcpy(&word, table + 2 * k, sizeof word);
    return word;
}

/* The upper halves of two sums. */
static int16x2_t upper(int32_t re, int32_t im)
{
    int16x2_t word;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(word) : "r"(im), "r"(re));
    return word;
}

#define HALF (1 << 14)

/* Divided by 2 or 4: products are doubled to have their rounded Q15 in the upper half. */
static int16x2_t divided(int16x2_t value, int divisor)
{
    const int32_t factor = 32767 / divisor * 2;
    return upper(__smlabb(value, factor, 2 * HALF), __smlatb(value, factor, 2 * HALF));
}

static int16x2_t turned(int16x2_t value, int16x2_t turn)
{
    int16x2_t word;
    const int32_t re = __smlsd(value, turn, HALF);
    const uint32_t im = (uint32_t)__smladx(value, turn, HALF) << 1;
    __asm__("pkhtb %0, %1, %2, asr #15" : "=r"(word) : "r"(im), "r"(re));
    return word;
}

static void combine(complex16 *p, int step, int16x2_t a, int16x2_t b, int16x2_t c, int16x2_t d)
{
    const int16x2_t even = __sadd16(a, c), odd = __sadd16(b, d);
    const int16x2_t difference = __ssub16(a, c), turn = __ssub16(b, d);
    p[0] = pair_of(__sadd16(even, odd));
    p[step] = pair_of(__ssax(difference, turn));
    p[2 * step] = pair_of(__ssub16(even, odd));
    p[3 * step] = pair_of(__sasx(difference, turn));
}

static void butterflies(complex16 *p, const complex16 *end, int step, int k, int stride)
{
    const int16x2_t turn = word_at(ww_twiddles, k * stride);
    const int16x2_t next_turn = word_at(ww_twiddles, 2 * k * stride);
    const int16x2_t last_turn = word_at(ww_twiddles, 3 * k * stride);
    for (; p < end; p += 4 * step) {
        combine(p, step, divided(word_of(p[0]), 4), turned(divided(word_of(p[step]), 4), turn),
                turned(divided(word_of(p[2 * step]), 4), next_turn),
                turned(divided(word_of(p[3 * step]), 4), last_turn));
    }
}

static void plain_butterflies(complex16 *p, const complex16 *end, int step)
{
    for (; p < end; p += 4 * step) {
        combine(p, step, divided(word_of(p[0]), 4), divided(word_of(p[step]), 4),
                divided(word_of(p[2 * step]), 4), divided(word_of(p[3 * step]), 4));
    }
}

static void split_pair(complex16 *low, complex16 *high, const int16_t *turn)
{
    const int16x2_t value = word_of(*high), negative = __ssub16(0, value);
    int16x2_t mirrored, last;
    __asm__("pkhbt %0, %1, %2" : "=r"(mirrored) : "r"(value), "r"(negative));
    const int16x2_t a = divided(word_of(*low), 2), b = divided(mirrored, 2);
    const int16x2_t sum = __sadd16(a, b);
    const int16x2_t difference = turned(__ssub16(a, b), word_at(turn, 0));
    *low = pair_of(__shadd16(sum, difference));
    __asm__("pkhbt %0, %1, %2" : "=r"(last)
            : "r"(__shsub16(sum, difference)), "r"(__shsub16(difference, sum)));
    *high = pair_of(last);
}

static uint32_t energy_of(complex16 bin)
{
    return (uint32_t)__smuad(word_of(bin), word_of(bin));
}

static uint32_t window_pair(complex16 *to, const int16_t *audio, const int16_t *window)
{
    const int16x2_t samples = word_at(audio, 0), factors = word_at(window, 0);
    const uint32_t im = (uint32_t)__smlatt(samples, factors, 0) << (16 - WW_WINDOW_BITS);
    uint32_t word, size;
    __asm__("pkhtb %0, %1, %2, asr %3" : "=r"(word)
            : "r"(im), "r"(__smlabb(samples, factors, 0)), "I"(WW_WINDOW_BITS));
    *to = pair_of((int16x2_t)word);
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %0, %2" : "=&r"(size) : "r"(0), "r"(word)); /* |parts| */
    return size;
}
#else
static int16_t round_q15(int32_t x)
{
    return (int16_t)((x + (1 << 14)) >> 15);
}

static complex16 factor(const int16_t *table, int k)
{
    const complex16 pair = {table[2 * k], table[2 * k + 1]};
    return pair;
}

static complex16 multiply(complex16 a, complex16 factor)
{
    complex16 product;
    product.re = round_q15(a.re * factor.re - a.im * factor.im);
    product.im = round_q15(a.re * factor.im + a.im * factor.re);
    return product;
}

static complex16 add(complex16 a, complex16 b)
{
    complex16 sum = {(int16_t)(a.re + b.re), (int16_t)(a.im + b.im)};
    return sum;
}

static complex16 subtract(complex16 a, complex16 b)
{
    complex16 difference = {(int16_t)(a.re - b.re), (int16_t)(a.im - b.im)};
    return difference;
}

static complex16 divide(complex16 a, int divisor)
{
    const int32_t factor = 32767 / divisor;
    complex16 quotient = {round_q15(a.re * factor), round_q15(a.im * factor)};
    return quotient;
}

/* `b`, `c` and `d` are turned, and already divided by 4 as `a` is. */
static void combine(complex16 *p, int step, complex16 a, complex16 b, complex16 c, complex16 d)
{
    const complex16 even = add(a, c), odd = add(b, d);
    const complex16 difference = subtract(a, c), turn = subtract(b, d);
    const complex16 turned = {turn.im, (int16_t)-turn.re}; /* by -i */
    p[0] = add(even, odd);
    p[step] = add(difference, turned);
    p[2 * step] = subtract(even, odd);
    p[3 * step] = subtract(difference, turned);
}

/* Number k of each group of 4 * step parts; those lie `step` apart. */
static void butterflies(complex16 *p, const complex16 *end, int step, int k, int stride)
{
    const complex16 turn = factor(ww_twiddles, k * stride);
    const complex16 next_turn = factor(ww_twiddles, 2 * k * stride);
    const complex16 last_turn = factor(ww_twiddles, 3 * k * stride);
    for (; p < end; p += 4 * step) {
        combine(p, step, divide(p[0], 4), multiply(divide(p[step], 4), turn),
                multiply(divide(p[2 * step], 4), next_turn),
                multiply(divide(p[3 * step], 4), last_turn));
    }
}

/* The first of each group: a factor of 32767/32768 changes no number under 2^14. */
static void plain_butterflies(complex16 *p, const complex16 *end, int step)
{
    for (; p < end; p += 4 * step) {
        combine(p, step, divide(p[0], 4), divide(p[step], 4), divide(p[2 * step], 4),
                divide(p[3 * step], 4));
    }
}

#if !defined(__AVX2__) || defined(WW_PLAIN_C)
/* Two bins of the real spectrum from those of the complex one. */
static void split_pair(complex16 *low, complex16 *high, const int16_t *turn)
{
    const complex16 mirrored = {high->re, (int16_t)-high->im};
    const complex16 a = divide(*low, 2), b = divide(mirrored, 2);
    const complex16 sum = add(a, b);
    const complex16 turned = multiply(subtract(a, b), factor(turn, 0));
    low->re = (int16_t)((sum.re + turned.re) >> 1);
    low->im = (int16_t)((sum.im + turned.im) >> 1);
    high->re = (int16_t)((sum.re - turned.re) >> 1);
    high->im = (int16_t)((turned.im - sum.im) >> 1);
}

/* Two samples through the window; returns bits that are in their sizes. */
static uint32_t window_pair(complex16 *to, const int16_t *audio, const int16_t *window)
{
    const int32_t re = (audio[0] * window[0]) >> WW_WINDOW_BITS;
    const int32_t im = (audio[1] * window[1]) >> WW_WINDOW_BITS;
    to->re = (int16_t)re;
    to->im = (int16_t)im;
    return (uint32_t)(re < 0 ? -re : re) | (uint32_t)(im < 0 ? -im : im);
}

#endif

static uint32_t energy_of(complex16 bin)
{
    return (uint32_t)(bin.re * bin.re) + (uint32_t)(bin.im * bin.im);
}
#endif

/* One stage, whose butterflies' parts lie `step` apart. */
static void stage(complex16 x[FFT_POINTS], int step)
{
    plain_butterflies(x, x + FFT_POINTS, step);
    for (int k = 1; k < step; k++) {
        butterflies(x + k, x + FFT_POINTS, step, k, FFT_POINTS / 4 / step);
    }
}

#if defined(__AVX2__) && !defined(WW_PLAIN_C)
/* x86: four butterflies, bins or pairs side by side, for the host tool. The same numbers. */
#include <immintrin.h>

static __m128i load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static void store(void *p, __m128i value)
{
    _mm_storeu_si128((__m128i *)p, value);
}

static __m128i four_divided(__m128i values, int divisor)
{
    return _mm_mulhrs_epi16(values, _mm_set1_epi16((int16_t)(32767 / divisor)));
}

/* The imaginary parts with the other sign. */
static __m128i conjugate(__m128i values)
{
    const __m128i im = _mm_set1_epi32(-65536);
    return _mm_sub_epi16(_mm_xor_si128(values, im), im);
}

static __m128i swapped(__m128i values)
{
    return _mm_shufflehi_epi16(_mm_shufflelo_epi16(values, 0xB1), 0xB1);
}

static __m128i four_turned(__m128i values, __m128i turns)
{
    const __m128i half = _mm_set1_epi32(1 << 14);
    const __m128i re = _mm_add_epi32(_mm_madd_epi16(values, conjugate(turns)), half);
    const __m128i im = _mm_add_epi32(_mm_madd_epi16(values, swapped(turns)), half);
    return _mm_blend_epi16(_mm_srli_epi32(re, 15), _mm_slli_epi32(im, 1), 0xAA);
}

static __m128i four_factors(int k, int stride)
{
    int32_t words[4];
    for (int i = 0; i < 4; i++) {
        memcpy(&words[i], ww_twiddles + 2 * (k + i) * stride, sizeof *words);
    }
    return load(words);
}

static void stage_by_four(complex16 x[FFT_POINTS], int step)
{
    const int stride = FFT_POINTS / 4 / step;
    for (int k = 0; k < step; k += 4) {
        const __m128i turn = four_factors(k, stride), next_turn = four_factors(k, 2 * stride);
        const __m128i last_turn = four_factors(k, 3 * stride);
        for (complex16 *p = x + k; p < x + FFT_POINTS; p += 4 * step) {
            const __m128i a = four_divided(load(p), 4);
            const __m128i b = four_turned(four_divided(load(p + step), 4), turn);
            const __m128i c = four_turned(four_divided(load(p + 2 * step), 4), next_turn);
            const __m128i d = four_turned(four_divided(load(p + 3 * step), 4), last_turn);
            const __m128i even = _mm_add_epi16(a, c), odd = _mm_add_epi16(b, d);
            const __m128i difference = _mm_sub_epi16(a, c);
            const __m128i turned = conjugate(swapped(_mm_sub_epi16(b, d))); /* by -i */
            store(p, _mm_add_epi16(even, odd));
            store(p + step, _mm_add_epi16(difference, turned));
            store(p + 2 * step, _mm_sub_epi16(even, odd));
            store(p + 3 * step, _mm_sub_epi16(difference, turned));
        }
    }
}

/* The floor of half the sum, of half the difference. */
static __m128i half_sum(__m128i a, __m128i b)
{
    return _mm_add_epi16(_mm_and_si128(a, b), _mm_srai_epi16(_mm_xor_si128(a, b), 1));
}

static __m128i half_difference(__m128i a, __m128i b)
{
    const __m128i not_b = _mm_xor_si128(b, _mm_set1_epi16(-1));
    return _mm_sub_epi16(_mm_or_si128(a, not_b), _mm_srai_epi16(_mm_xor_si128(a, not_b), 1));
}

static void split_real(complex16 x[FFT_POINTS])
{
    for (int k = 1; k <= FFT_POINTS / 2; k += 4) {
        complex16 *low = x + k, *high = x + FFT_POINTS - k - 3;
        const __m128i mirrored = conjugate(_mm_shuffle_epi32(load(high), 0x1B));
        const __m128i a = four_divided(load(low), 2), b = four_divided(mirrored, 2);
        const __m128i sum = _mm_add_epi16(a, b);
        const __m128i turned =
            four_turned(_mm_sub_epi16(a, b), load(ww_real_twiddles + 2 * (k - 1)));
        const __m128i last = _mm_blend_epi16(half_difference(sum, turned),
                                             half_difference(turned, sum), 0xAA);
        store(low, half_sum(sum, turned));
        store(high, _mm_shuffle_epi32(last, 0x1B));
    }
}

static uint32_t window_pairs(complex16 *x, const int16_t *audio)
{
    __m256i bits = _mm256_setzero_si256();
    for (int k = 0; k < WW_WINDOW_SAMPLES / 2; k += 8) {
        const __m256i samples = _mm256_loadu_si256((const __m256i *)(const void *)(audio + 2 * k));
        const __m256i factors =
            _mm256_loadu_si256((const __m256i *)(const void *)(ww_window + 2 * k));
        const __m256i values = _mm256_or_si256(
            _mm256_slli_epi16(_mm256_mulhi_epi16(samples, factors), 16 - WW_WINDOW_BITS),
            _mm256_srli_epi16(_mm256_mullo_epi16(samples, factors), WW_WINDOW_BITS));
        complex16 pairs[8];
        bits = _mm256_or_si256(bits, _mm256_abs_epi16(values));
        _mm256_storeu_si256((__m256i *)(void *)pairs, values);
        for (int i = 0; i < 8; i++) {
            x[ww_fft_order[k + i]] = pairs[i];
        }
    }
    uint32_t words[8], all = 0;
    _mm256_storeu_si256((__m256i *)(void *)words, bits);
    for (int i = 0; i < 8; i++) {
        all |= words[i];
    }
    return all;
}
#else
#define stage_by_four stage

/* The spectrum of 512 real samples from that of 256 complex ones made of their pairs; bins 0 and
 * 256 are left out, the filter bank does not use them. */
static void split_real(complex16 x[FFT_POINTS])
{
    const int16_t *turn = ww_real_twiddles;
    for (int k = 1; k <= FFT_POINTS / 2; k++, turn += 2) {
        split_pair(&x[k], &x[FFT_POINTS - k], turn);
    }
}

/* Windows the audio into `x` as pairs in FFT order; returns bits that are in their sizes. */
static uint32_t window_pairs(complex16 *x, const int16_t *audio)
{
    uint32_t bits = 0;
    for (int k = 0; k < WW_WINDOW_SAMPLES / 2; k++) {
        bits |= window_pair(&x[ww_fft_order[k]], audio + 2 * k, ww_window + 2 * k);
    }
    return bits;
}
#endif

static void fft_complex(complex16 x[FFT_POINTS])
{
    stage(x, 1);
    stage_by_four(x, 4);
    stage_by_four(x, 16);
    stage_by_four(x, 64);
}

/* ---- Window to filter bank ---- */

/* Windows the audio into `x` as pairs in FFT order, shifted up as far as it fits; returns the
 * shift. */
static int window_audio(const int16_t audio[WW_WINDOW_SAMPLES], complex16 x[FFT_POINTS])
{
    uint32_t bits = window_pairs(x, audio); /* of all sizes together; only the highest matters */
    for (int k = WW_WINDOW_SAMPLES / 2; k < FFT_POINTS; k++) {
        memset(&x[ww_fft_order[k]], 0, sizeof *x);
    }
    bits = (bits | bits >> 16) & INT16_MAX; /* the library's |-32768| is not counted */
    const int shift = 15 - bit_length(bits);
    const uint32_t kept = (UINT32_MAX << shift & 0xFFFF) | UINT32_MAX << 16 << shift;
    for (complex16 *p = x; p < x + FFT_POINTS; p += 4) { /* both parts in one word */
        uint32_t words[4];
        memcpy(words, p, sizeof words);
        words[0] = words[0] << shift & kept;
        words[1] = words[1] << shift & kept;
        words[2] = words[2] << shift & kept;
        words[3] = words[3] << shift & kept;
        memcpy(p, words, sizeof words);
    }
    return shift;
}

/* The floor of the square root of n, of 4 * half bits with one of the highest two set, from that of
 * its upper half (Zimmermann, Karatsuba Square Root, 1999). */
static uint32_t longer_root(uint32_t upper_root, uint64_t n, int half)
{
    const uint32_t rest = (uint32_t)(n >> 2 * half) - upper_root * upper_root;
    const uint32_t next = (uint32_t)(n >> (half + 1)) & ((1U << (half - 1)) - 1);
    const uint32_t most = (1U << half) - 1;
    const uint32_t digit = (rest << (half - 1) | next) / upper_root;
    const uint32_t result = upper_root << half | (digit < most ? digit : most);
    return result - ((uint64_t)result * result > n);
}

/* The square root, rounded; like the library, not beyond 16 bits for a 32-bit x. */
static uint32_t root(uint64_t x)
{
    const uint32_t high = (uint32_t)(x >> 32);
    if (x == 0) {
        return 0;
    }
    const int spare = (high != 0 ? 32 - bit_length(high) : 64 - bit_length((uint32_t)x)) & ~1;
    const uint64_t n = x << spare;
    const uint32_t top = (uint32_t)(n >> 48);
    uint32_t result = ww_root_table[(top >> 8) - 64]; /* of top's upper byte: one short at most */
    result += (result + 1) * (result + 1) <= top;
    result = longer_root(result, n >> 32, 8);
    result = longer_root(result, n, 16) >> spare / 2;
    return result + (x - (uint64_t)result * result > result &&
                     result != (high == 0 ? UINT16_MAX : UINT32_MAX));
}

static void filterbank(const complex16 *spectrum, int shift, uint32_t signal[WW_CHANNELS])
{
    uint64_t rising = 0, falling = 0;
    int i = 0;
    for (int channel = 0; channel <= WW_CHANNELS; channel++) {
        for (const int end = i + ww_filter_widths[channel]; i < end; i++) {
            const uint32_t energy = energy_of(spectrum[WW_FILTER_FIRST_BIN + i]);
            rising += (uint64_t)energy * (uint16_t)ww_filter_weights[i];
            falling += (uint64_t)energy * (uint16_t)ww_filter_unweights[i];
        }
        if (channel > 0) {
            signal[channel - 1] = root(rising) >> shift;
        }
        rising = falling;
        falling = 0;
    }
}

/* ---- Per channel: noise reduction, gain (PCAN), log ---- */

static uint32_t reduce_noise(uint32_t signal, uint32_t *noise, uint32_t smoothing)
{
    const uint32_t scaled = signal << WW_NOISE_SHIFT;
    const uint32_t estimate =
        (uint32_t)(((uint64_t)scaled * smoothing +
                    (uint64_t)*noise * ((1U << WW_NOISE_BITS) - smoothing)) >> WW_NOISE_BITS);
    *noise = estimate;
    const uint32_t rest = estimate > scaled ? 0 : (scaled - estimate) >> WW_NOISE_SHIFT;
    const uint32_t floor = (uint32_t)(((uint64_t)signal * WW_NOISE_FLOOR) >> WW_NOISE_BITS);
    return rest > floor ? rest : floor;
}

/* A curve that falls over 32 octaves: each octave of the table is a parabola. */
static uint32_t gain_for(uint32_t noise)
{
    if (noise <= 2) {
        return (uint32_t)ww_gain_table[noise];
    }
    const int octave = bit_length(noise);
    const int16_t *part = ww_gain_table + 4 * octave - 6;
    const int32_t place =
        (int32_t)((octave < 11 ? noise << (11 - octave) : noise >> (octave - 11)) & 0x3FF);
    const int32_t slope = ((part[2] * place) >> 5) + part[1] * 32;
    const int32_t rise = (slope * place + (1 << 14)) >> 15;
    return (uint32_t)(int32_t)(int16_t)(rise + part[0]);
}

static uint32_t control_gain(uint32_t signal, uint32_t noise)
{
    const uint32_t ratio = (uint32_t)(((uint64_t)signal * gain_for(noise)) >> WW_SNR_SHIFT);
    if (ratio < 2U << WW_SNR_BITS) {
        return (ratio * ratio) >> (2 + 2 * WW_SNR_BITS - 6);
    }
    return (ratio >> (WW_SNR_BITS - 6)) - (1U << 6);
}

static uint16_t scaled_log(uint32_t x)
{
    if (x <= 1) {
        return 0;
    }
    const int octave = bit_length(x) - 1;
    const uint32_t over = x - (1U << octave);
    const uint32_t fraction = octave < 16 ? over << (16 - octave) : over >> (octave - 16);
    const uint32_t segment = fraction / (65536 / WW_LOG_SEGMENTS);
    const int32_t start = ww_log_table[segment], end = ww_log_table[segment + 1];
    const int32_t place = (int32_t)(fraction % (65536 / WW_LOG_SEGMENTS));
    const int32_t bend = start + (((end - start) * place) >> 16);
    const uint32_t log2_q16 = ((uint32_t)octave << 16) + fraction + (uint32_t)bend;
    const uint32_t loge_q16 = (uint32_t)(((uint64_t)WW_LOGE_2 * log2_q16 + 32768) >> 16);
    const uint32_t scaled = ((loge_q16 << WW_LOG_SHIFT) + 32768) >> 16;
    return (uint16_t)(scaled < UINT16_MAX ? scaled : UINT16_MAX);
}

/* ---- The whole ---- */

static void compute_frame(ww_frontend *frontend, complex16 x[FFT_POINTS],
                          uint16_t frame[WW_CHANNELS])
{
    uint32_t signal[WW_CHANNELS];
    const int shift = window_audio(frontend->audio, x);
    fft_complex(x);
    split_real(x);
    filterbank(x, shift, signal);
    for (int i = 0; i < WW_CHANNELS; i++) {
        const uint32_t smoothing = i % 2 == 0 ? WW_NOISE_EVEN : WW_NOISE_ODD;
        const uint32_t clean = reduce_noise(signal[i], &frontend->noise[i], smoothing);
        frame[i] = scaled_log(control_gain(clean, frontend->noise[i]) << WW_CORRECTION_BITS);
    }
}

void ww_frontend_reset(ww_frontend *frontend)
{
    memset(frontend, 0, sizeof *frontend);
}

size_t ww_frontend_push(ww_frontend *frontend, const int16_t *samples, size_t count,
                        int16_t scratch[WW_FFT_SIZE], uint16_t frame[WW_CHANNELS], int *ready)
{
    const size_t room = (size_t)(WW_WINDOW_SAMPLES - frontend->held);
    const size_t taken = count < room ? count : room;
    memcpy(frontend->audio + frontend->held, samples, taken * sizeof *samples);
    frontend->held = (uint16_t)(frontend->held + taken);
    *ready = frontend->held == WW_WINDOW_SAMPLES;
    if (*ready) {
        compute_frame(frontend, (complex16 *)scratch, frame);
        frontend->held = WW_WINDOW_SAMPLES - WW_HOP_SAMPLES;
        memmove(frontend->audio, frontend->audio + WW_HOP_SAMPLES,
                frontend->held * sizeof *frontend->audio);
    }
    return taken;
}

int8_t ww_quantize_channel(uint16_t raw)
{
    const int32_t value = (raw * 256 + 333) / 666 - 128;
    return (int8_t)(value < 127 ? value : 127);
}
