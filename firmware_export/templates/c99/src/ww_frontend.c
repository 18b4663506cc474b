#include "ww_frontend.h"

#include <string.h>

#include "ww_frontend_tables.h"
#include "ww_spectrum.h"

/* ---- Filter bank ---- */

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
    const int spare = (high != 0 ? 32 - ww_bit_length(high) : 64 - ww_bit_length((uint32_t)x)) & ~1;
    const uint64_t n = x << spare;
    const uint32_t top = (uint32_t)(n >> 48);
    uint32_t result = ww_root_table[(top >> 8) - 64]; /* of top's upper byte: one short at most */
    result += (result + 1) * (result + 1) <= top;
    result = longer_root(result, n >> 32, 8);
    result = longer_root(result, n, 16) >> spare / 2;
    return result + (x - (uint64_t)result * result > result &&
                     result != (high == 0 ? UINT16_MAX : UINT32_MAX));
}

static void filterbank(const int16_t *spectrum, int shift, uint32_t signal[WW_CHANNELS])
{
    uint64_t rising = 0, falling = 0;
    int i = 0;
    for (int channel = 0; channel <= WW_CHANNELS; channel++) {
        for (const int end = i + ww_filter_widths[channel]; i < end; i++) {
            const uint32_t energy = ww_energy(spectrum, WW_FILTER_FIRST_BIN + i);
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
    const int octave = ww_bit_length(noise);
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
    const int octave = ww_bit_length(x) - 1;
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

static void compute_frame(ww_frontend *frontend, int16_t scratch[WW_FFT_SIZE],
                          uint16_t frame[WW_CHANNELS])
{
    uint32_t signal[WW_CHANNELS];
    const int shift = ww_spectrum(frontend->audio, scratch);
    filterbank(scratch, shift, signal);
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
        compute_frame(frontend, scratch, frame);
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
