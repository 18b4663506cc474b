/* From a window of audio to the energy of each frequency. */
#ifndef WW_SPECTRUM_H
#define WW_SPECTRUM_H

#include <stdint.h>
#include <string.h>

#include "ww_frontend.h"

/* The bits of a number without its leading zeros. */
static inline int ww_bit_length(uint32_t x)
{
#if defined(__GNUC__) && !defined(WW_PLAIN_C)
    return x == 0 ? 0 : 32 - __builtin_clz(x); /* an int has 32 bits wherever this runs */
#else
    int bits = 0;
    for (; x != 0; x >>= 1) {
        bits++;
    }
    return bits;
#endif
}

/* Leaves in `scratch` the energies of the spectrum's bins 1 to 255, scaled up by 2^(2 * shift) as
 * far as it fits; returns the shift. */
int ww_spectrum(const int16_t audio[WW_WINDOW_SAMPLES], int16_t scratch[WW_FFT_SIZE]);

static inline uint32_t ww_energy(const int16_t scratch[WW_FFT_SIZE], int bin)
{
#if defined(__ARM_FEATURE_UNALIGNED)
    uint32_t word;
    memcpy(&word, scratch + 2 * bin, sizeof word);
    return word;
#else /* a Cortex-M0 takes whole words at their own addresses only */
    return (uint16_t)scratch[2 * bin] | (uint32_t)(uint16_t)scratch[2 * bin + 1] << 16;
#endif
}

#endif
