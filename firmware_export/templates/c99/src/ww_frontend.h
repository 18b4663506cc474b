/* The micro front end: 16 kHz int16 audio to 40 channels every 10 ms, in fixed point.
 *
 * The arithmetic is that of TensorFlow Lite Micro's microfrontend library (The TensorFlow
 * Authors, Apache-2.0) on a KISS FFT in 16 bits (Mark Borgerding, BSD-3-Clause): the integers are
 * equal to theirs. The code is our own.
 */
#ifndef WW_FRONTEND_H
#define WW_FRONTEND_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#if INT_MAX < INT32_MAX
#error "the sums need an int of 32 bits: no 8-bit or 16-bit processor"
#endif

#define WW_CHANNELS 40
#define WW_WINDOW_SAMPLES 480 /* 30 ms */
#define WW_HOP_SAMPLES 160    /* 10 ms */
#define WW_FFT_SIZE 512

typedef struct {
    int16_t audio[WW_WINDOW_SAMPLES]; /* the window being filled */
    uint16_t held;                    /* samples in it */
    uint32_t noise[WW_CHANNELS];      /* noise estimate, scaled up by 2^10 */
} ww_frontend;

/* Silence, no noise estimate. */
void ww_frontend_reset(ww_frontend *frontend);

/* Takes up to `count` samples and returns how many; stops at each frame, then *ready is 1 and
 * `frame` holds it (0..670 or so a channel). `scratch` needs no content and keeps none. */
size_t ww_frontend_push(ww_frontend *frontend, const int16_t *samples, size_t count,
                        int16_t scratch[WW_FFT_SIZE], uint16_t frame[WW_CHANNELS], int *ready);

/* A channel as the network's int8 input: ESPHome's integer formula. */
int8_t ww_quantize_channel(uint16_t raw);

#endif
