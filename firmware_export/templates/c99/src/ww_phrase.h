/* The second ear: how well the phones that a network heard fit its phrase, and the fused score.
 *
 * What wakeword/phrase.py computes, in whole numbers: the sums over paths are equal, the score is
 * within 2^24 / 10000.
 */
#ifndef WW_PHRASE_H
#define WW_PHRASE_H

#include <stdint.h>

#define WW_PHRASE_FULL (1U << 24) /* the score of certainty */

typedef struct ww_phrase {
    const uint8_t *strings; /* each: its length, then the column of each phone */
    const int32_t *a_phone; /* of each pronunciation: a raw unit over its length, Q24 */
    uint8_t own, all;       /* strings: pronunciations, then competitors */
    uint8_t symbols, window_steps, hold_steps;
    uint16_t output_at; /* of the phones among the model's outputs */
    uint16_t ring_at;   /* of its steps in wakeword.rings */
    uint32_t floor, full; /* sums of wake probabilities: the least that is asked about, certainty */
    int32_t unit;                        /* a raw unit of log probability, Q24 */
    int32_t bias;                        /* Q16 */
    int32_t wake, phrase, margin;        /* weights, Q20 */
} ww_phrase;

/* Remembers a step's raw logits, step number `heard`. The ring has window_steps * symbols bytes. */
void ww_phrase_hear(const ww_phrase *phrase, uint8_t *ring, uint32_t heard, const uint8_t *raw);

/* The score of both ears, of WW_PHRASE_FULL, for a sum of wake probabilities; 0 under the floor. */
uint32_t ww_phrase_score(const ww_phrase *phrase, const uint8_t *ring, uint32_t heard,
                         uint32_t wake_sum);

/* The best path's sum of each string: raw units, 0 at most; WW_PHRASE_NONE without a path. */
#define WW_PHRASE_NONE (-100000000)
int32_t ww_phrase_path(const ww_phrase *phrase, const uint8_t *ring, uint32_t heard,
                       const uint8_t *string);

#endif
