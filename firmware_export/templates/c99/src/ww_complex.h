/* Arithmetic on complex numbers of two int16, as KISS FFT does it with FIXED_POINT=16: the same
 * roundings and wrap-arounds. In memory the real part comes first. */
#ifndef WW_COMPLEX_H
#define WW_COMPLEX_H

#include <stdint.h>
#include <string.h>

#include "ww_frontend_tables.h"

#if defined(__ARM_FEATURE_DSP) && !defined(WW_PLAIN_C)
/* Cortex-M4, M7, M33: both parts in one word, real part low. The same numbers. */
#include <arm_acle.h>

typedef int16x2_t complex16;

static inline complex16 get(const int16_t *from)
{
    complex16 word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline void put(int16_t *to, complex16 word)
{
    memcpy(to, &word, sizeof word);
}

#define add __sadd16
#define subtract __ssub16
#define add_turned __ssax      /* a - ib */
#define subtract_turned __sasx /* a + ib */
#define half_sum __shadd16

/* Divided by 2 or 4: products are doubled to have their rounded Q15 in the upper half. */
static inline complex16 divide(complex16 value, int divisor)
{
    complex16 word;
    const int32_t factor = 32767 / divisor * 2, half = 1 << 15;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(word)
            : "r"(__smlatb(value, factor, half)), "r"(__smlabb(value, factor, half)));
    return word;
}

static inline complex16 multiply(complex16 value, complex16 factor)
{
    complex16 word;
    const uint32_t im = (uint32_t)__smladx(value, factor, 1 << 14) << 1;
    __asm__("pkhtb %0, %1, %2, asr #15" : "=r"(word)
            : "r"(im), "r"(__smlsd(value, factor, 1 << 14)));
    return word;
}

static inline complex16 conjugate(complex16 value)
{
    complex16 word;
    __asm__("pkhbt %0, %1, %2" : "=r"(word) : "r"(value), "r"(__ssub16(0, value)));
    return word;
}

static inline complex16 conjugate_half_difference(complex16 a, complex16 b)
{
    complex16 word;
    __asm__("pkhbt %0, %1, %2" : "=r"(word) : "r"(__shsub16(a, b)), "r"(__shsub16(b, a)));
    return word;
}

static inline complex16 shift_up(complex16 value, int shift)
{
    const uint32_t kept = (0xFFFFU << shift & 0xFFFF) | 0xFFFF0000U << shift;
    return (complex16)((uint32_t)value << shift & kept);
}

static inline complex16 windowed(complex16 samples, complex16 factors)
{
    complex16 word;
    const uint32_t im = (uint32_t)__smlatt(samples, factors, 0) << (16 - WW_WINDOW_BITS);
    __asm__("pkhtb %0, %1, %2, asr %3" : "=r"(word)
            : "r"(im), "r"(__smlabb(samples, factors, 0)), "I"(WW_WINDOW_BITS));
    return word;
}

static inline uint32_t sizes(complex16 value)
{
    uint32_t word;
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %0, %2" : "=&r"(word) : "r"(0), "r"(value));
    return word;
}

static inline void put_energy(int16_t *to, complex16 value) /* for ww_energy */
{
    const uint32_t word = (uint32_t)__smuad(value, value);
    memcpy(to, &word, sizeof word);
}
#else
typedef struct {
    int16_t re, im;
} complex16;

static inline complex16 get(const int16_t *from)
{
    const complex16 value = {from[0], from[1]};
    return value;
}

static inline void put(int16_t *to, complex16 value)
{
    to[0] = value.re;
    to[1] = value.im;
}

static inline complex16 of_parts(int32_t re, int32_t im)
{
    const complex16 value = {(int16_t)re, (int16_t)im};
    return value;
}

static inline complex16 add(complex16 a, complex16 b)
{
    return of_parts(a.re + b.re, a.im + b.im);
}

static inline complex16 subtract(complex16 a, complex16 b)
{
    return of_parts(a.re - b.re, a.im - b.im);
}

static inline complex16 add_turned(complex16 a, complex16 b) /* a - ib */
{
    return of_parts(a.re + b.im, a.im - b.re);
}

static inline complex16 subtract_turned(complex16 a, complex16 b) /* a + ib */
{
    return of_parts(a.re - b.im, a.im + b.re);
}

static inline complex16 half_sum(complex16 a, complex16 b)
{
    return of_parts((a.re + b.re) >> 1, (a.im + b.im) >> 1);
}

static inline complex16 rounded_q15(int32_t re, int32_t im)
{
    return of_parts((re + (1 << 14)) >> 15, (im + (1 << 14)) >> 15);
}

/* By 2 or 4. */
static inline complex16 divide(complex16 value, int divisor)
{
    const int32_t factor = 32767 / divisor;
    return rounded_q15(value.re * factor, value.im * factor);
}

static inline complex16 multiply(complex16 a, complex16 factor)
{
    return rounded_q15(a.re * factor.re - a.im * factor.im, a.re * factor.im + a.im * factor.re);
}

static inline complex16 conjugate(complex16 value)
{
    return of_parts(value.re, -value.im);
}

static inline complex16 conjugate_half_difference(complex16 a, complex16 b)
{
    return of_parts((a.re - b.re) >> 1, (b.im - a.im) >> 1);
}

static inline complex16 shift_up(complex16 value, int shift)
{
    return of_parts(value.re * (1 << shift), value.im * (1 << shift));
}

/* Two samples times two factors of the window. */
static inline complex16 windowed(complex16 samples, complex16 factors)
{
    return of_parts((samples.re * factors.re) >> WW_WINDOW_BITS,
                    (samples.im * factors.im) >> WW_WINDOW_BITS);
}

/* Bits that are in |re| or |im|; those of 16 and above mean the same. */
static inline uint32_t sizes(complex16 value)
{
    return (uint32_t)(value.re < 0 ? -value.re : value.re) |
           (uint32_t)(value.im < 0 ? -value.im : value.im);
}

static inline void put_energy(int16_t *to, complex16 value) /* for ww_energy */
{
    const uint32_t word = (uint32_t)(value.re * value.re) + (uint32_t)(value.im * value.im);
    to[0] = (int16_t)word;
    to[1] = (int16_t)(word >> 16);
}
#endif

#endif
