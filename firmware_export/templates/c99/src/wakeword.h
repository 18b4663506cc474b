/* A wake-phrase detector: 16 kHz mono int16 audio in, detections out. No malloc, no floating
 * point, no operating system; all state in one struct.
 *
 *     static wakeword ears;
 *     wakeword_init(&ears);
 *     for (;;) {
 *         wakeword_detection heard;
 *         read_microphone(block, 480);
 *         if (wakeword_push(&ears, block, 480, &heard, 1)) switch_lamp_on();
 *     }
 */
#ifndef WAKEWORD_H
#define WAKEWORD_H

#include <stddef.h>
#include <stdint.h>

#include "wakeword_models.h"
#include "ww_frontend.h"

#define WAKEWORD_UNIT_SAMPLES 480 /* times are counted in units of 30 ms */

/* Define WAKEWORD_GATE as 1 (in every file) to let the networks rest while the room is quiet. */
#ifndef WAKEWORD_GATE
#define WAKEWORD_GATE 0
#endif
#ifndef WAKEWORD_GATE_MARGIN /* opens at this many times the power of the quiet room */
#define WAKEWORD_GATE_MARGIN 4
#endif
#ifndef WAKEWORD_GATE_FRAMES /* of 10 ms, kept to be heard when it opens; 40 bytes each */
#define WAKEWORD_GATE_FRAMES 90
#endif
#ifndef WAKEWORD_GATE_HANGOVER /* units that it stays open after the last loud one */
#define WAKEWORD_GATE_HANGOVER 20
#endif

typedef struct {
    uint8_t model;         /* WAKEWORD_MODEL_..., in wakeword_models.h */
    uint32_t score;        /* sum of the smoothing window's probabilities, or of both ears */
    uint32_t full;         /* what a score of 1.0 is */
    uint32_t unit;         /* units of audio heard when it fired */
    uint32_t started_unit; /* unit in which the score began to rise */
} wakeword_detection;

typedef struct {
    uint8_t recent[WAKEWORD_MAX_WINDOW]; /* the last probabilities, of 256 */
    uint8_t next;                        /* the oldest of them */
    uint8_t frames;                      /* frames that wait for a whole step */
    uint8_t armed;
    uint16_t steps; /* since the network's reset, up to the warm-up */
    uint32_t sum; /* of the recent probabilities */
    uint32_t score, threshold, rise_threshold;
    uint32_t heard; /* steps that the second ear remembers, and those that it forgot */
    uint32_t last_fired, started;
} ww_listener;

typedef struct {
    ww_frontend frontend;
    ww_listener listeners[WAKEWORD_MODELS];
    uint32_t unit;         /* of the newest sample */
    uint16_t unit_samples; /* of that unit that have come */
    int8_t state[WAKEWORD_STATE_BYTES];
    int8_t outputs[WAKEWORD_OUTPUT_BYTES];
#if WAKEWORD_RING_BYTES > 0
    uint8_t rings[WAKEWORD_RING_BYTES]; /* the second ears' last steps */
#endif
    union { /* used by turns: the spectrum, then the networks */
        int16_t fft[WW_FFT_SIZE];
        int32_t aligned;
        int8_t arena[WAKEWORD_ARENA_BYTES];
    } scratch;
#if WAKEWORD_GATE
    int8_t kept[WAKEWORD_GATE_FRAMES][WW_CHANNELS];
    uint16_t kept_next, kept_count, quiet_units;
    uint64_t unit_energy, floor_energy;
    uint8_t open;
#endif
} wakeword;

/* Sets every model's threshold to its bundle's, and resets. */
void wakeword_init(wakeword *w);

/* As new, the clock at zero; thresholds stay. Call it after audio was lost. */
void wakeword_reset(wakeword *w);

/* Hears `count` samples (any number) and writes up to `room` detections to `found`; returns how
 * many there were. A model fires at most once in its refractory time. */
size_t wakeword_push(wakeword *w, const int16_t *samples, size_t count,
                     wakeword_detection *found, size_t room);

/* Fires at this score: WAKEWORD_<MODEL>_<POINT> in wakeword_models.h. */
void wakeword_set_threshold(wakeword *w, uint8_t model, uint32_t threshold);

/* The score after the model's last step, of wakeword_models[model].full. */
uint32_t wakeword_score(const wakeword *w, uint8_t model);

/* The raw outputs of the model's last step, WAKEWORD_<MODEL>_AT_... apart. */
const uint8_t *wakeword_outputs(const wakeword *w, uint8_t model);

#endif
