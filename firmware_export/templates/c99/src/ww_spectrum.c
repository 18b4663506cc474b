#include "ww_spectrum.h"

#include "ww_complex.h"

#define POINTS (WW_FFT_SIZE / 2) /* the real FFT is a complex one of half the size */

#if defined(__GNUC__) && !defined(WW_PLAIN_C)
#define WW_INLINE static inline __attribute__((always_inline)) /* `step` becomes a constant */
#else
#define WW_INLINE static inline
#endif

/* ---- Window ---- */

/* Windows the audio into `x` as pairs in FFT order; returns bits that are in their sizes. */
static uint32_t window_pairs(int16_t x[2 * POINTS], const int16_t *audio)
{
    uint32_t bits = 0;
    for (int k = 0; k < WW_WINDOW_SAMPLES / 2; k++) {
        const complex16 pair = windowed(get(audio + 2 * k), get(ww_window + 2 * k));
        put(x + 2 * ww_fft_order[k], pair);
        bits |= sizes(pair);
    }
    return bits;
}

/* ---- Radix-4 FFT in place ---- */

/* A butterfly of the numbers at p, p + 2 step, p + 4 step, p + 6 step, divided and turned already. */
WW_INLINE void combine(int16_t *p, int step, complex16 a, complex16 b, complex16 c, complex16 d)
{
    const complex16 even = add(a, c), odd = add(b, d);
    const complex16 difference = subtract(a, c), turn = subtract(b, d);
    put(p, add(even, odd));
    put(p + 2 * step, add_turned(difference, turn));
    put(p + 4 * step, subtract(even, odd));
    put(p + 6 * step, subtract_turned(difference, turn));
}

/* Step 1, which turns nothing; the numbers are shifted up first. */
static void first_stage(int16_t x[2 * POINTS], int shift)
{
    for (int at = 0; at < 2 * POINTS; at += 8) {
        int16_t *p = x + at;
        combine(p, 1, divide(shift_up(get(p), shift), 4), divide(shift_up(get(p + 2), shift), 4),
                divide(shift_up(get(p + 4), shift), 4), divide(shift_up(get(p + 6), shift), 4));
    }
}

WW_INLINE void stage(int16_t x[2 * POINTS], int step)
{
    for (int at = 0; at < 2 * POINTS; at += 8 * step) { /* not turned: 32767/32768 changes nothing */
        int16_t *p = x + at;
        combine(p, step, divide(get(p), 4), divide(get(p + 2 * step), 4),
                divide(get(p + 4 * step), 4), divide(get(p + 6 * step), 4));
    }
    for (int k = 1; k < step; k++) {
        const int16_t *factors = ww_twiddles;
        const int place = 2 * k * (POINTS / 4 / step);
        const complex16 turn = get(factors + place), next_turn = get(factors + 2 * place);
        const complex16 last_turn = get(factors + 3 * place);
        for (int at = 2 * k; at < 2 * POINTS; at += 8 * step) {
            int16_t *p = x + at;
            combine(p, step, divide(get(p), 4), multiply(divide(get(p + 2 * step), 4), turn),
                    multiply(divide(get(p + 4 * step), 4), next_turn),
                    multiply(divide(get(p + 6 * step), 4), last_turn));
        }
    }
}

/* ---- The spectrum of real samples from that of their pairs ---- */

static void split_real(int16_t x[2 * POINTS])
{
    const int16_t *factor = ww_real_twiddles;
    int16_t *low = x + 2, *high = x + 2 * (POINTS - 1);
    for (; low <= high; low += 2, high -= 2, factor += 2) {
        const complex16 a = divide(get(low), 2), b = divide(conjugate(get(high)), 2);
        const complex16 sum = add(a, b), turned = multiply(subtract(a, b), get(factor));
        put_energy(low, half_sum(sum, turned));
        put_energy(high, conjugate_half_difference(sum, turned));
    }
}

static void transform(int16_t x[2 * POINTS], int shift)
{
    first_stage(x, shift);
    stage(x, 4);
    stage(x, 16);
    stage(x, 64);
    split_real(x);
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(WW_PLAIN_C)
#include "ww_spectrum_avx2.h"
#else
#define window_pairs_here window_pairs
#define transform_here transform
#endif

int ww_spectrum(const int16_t audio[WW_WINDOW_SAMPLES], int16_t scratch[WW_FFT_SIZE])
{
    uint32_t bits = window_pairs_here(scratch, audio); /* only the highest of them matters */
    for (int k = WW_WINDOW_SAMPLES / 2; k < POINTS; k++) {
        memset(scratch + 2 * ww_fft_order[k], 0, 2 * sizeof *scratch);
    }
    bits = (bits | bits >> 16) & INT16_MAX; /* the library's |-32768| is not counted */
    const int shift = 15 - ww_bit_length(bits);
    transform_here(scratch, shift);
    return shift;
}
