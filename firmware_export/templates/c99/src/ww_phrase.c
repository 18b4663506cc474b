#include "ww_phrase.h"

#include "wakeword_models.h"
#include "ww_frontend_tables.h"

#define WORST_Q16 (-20 * 65536)        /* evidence below tells nothing more */
#define MOST_WAKE_LOGIT_Q16 603602     /* of a share of 0.9999 */
#define MOST_LOGIT_Q16 (30 * 65536)
#define LOG2_E_Q30 1549082005          /* log2(e) */

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

void ww_phrase_hear(const ww_phrase *phrase, uint8_t *ring, uint32_t heard, const uint8_t *raw)
{
    uint8_t *row = ring + heard % phrase->window_steps * phrase->symbols;
    uint8_t best = 0;
    for (int i = 0; i < phrase->symbols; i++) {
        best = raw[i] > best ? raw[i] : best;
    }
    for (int i = 0; i < phrase->symbols; i++) {
        row[i] = (uint8_t)(best - raw[i]); /* what it costs to hear this symbol */
    }
}

int32_t ww_phrase_path(const ww_phrase *phrase, const uint8_t *ring, uint32_t heard,
                       const uint8_t *string)
{
    /* A chain of states: phone, blank, phone, ..., phone. A path begins at any step in the first
     * and ends in the last; a blank is passed over unless the phones beside it are the same. */
    int32_t paths[WAKEWORD_PHRASE_STATES];
    const uint8_t *columns = string + 1;
    const int last = 2 * string[0] - 2;
    const uint32_t steps = heard < phrase->window_steps ? heard : phrase->window_steps;
    const uint32_t first_end = steps > phrase->hold_steps ? steps - phrase->hold_steps : 0;
    int32_t best = WW_PHRASE_NONE;
    for (int i = 0; i <= last; i++) {
        paths[i] = WW_PHRASE_NONE;
    }
    for (uint32_t step = 0; step < steps; step++) {
        const uint8_t *cost =
            ring + (heard - steps + step) % phrase->window_steps * phrase->symbols;
        for (int i = last; i > 0; i--) { /* downwards: the states before are still the last step's */
            int32_t reach = larger(paths[i], paths[i - 1]);
            uint8_t column = 0;
            if (i % 2 == 0) {
                column = columns[i / 2];
                if (column != columns[i / 2 - 1]) {
                    reach = larger(reach, paths[i - 2]);
                }
            }
            paths[i] = larger(reach - cost[column], WW_PHRASE_NONE);
        }
        paths[0] = -(int32_t)cost[columns[0]];
        if (step >= first_end) {
            best = larger(best, paths[last]);
        }
    }
    return best;
}

/* log2(x), Q16, of 1 to 65535; error under 2^-15. */
static int32_t log2_q16(uint32_t x)
{
    int octave = 0;
    while (x >> octave > 1) {
        octave++;
    }
    const uint32_t fraction = (x - (1U << octave)) << (16 - octave);
    const uint32_t width = 65536 / WW_LOG_SEGMENTS, segment = fraction / width;
    const int32_t start = ww_log_table[segment], end = ww_log_table[segment + 1];
    const int32_t bend = start + (end - start) * (int32_t)(fraction % width) / (int32_t)width;
    return (int32_t)(((uint32_t)octave << 16) + fraction) + bend;
}

/* ln(sum / (full - sum)), Q16. */
static int32_t wake_logit(uint32_t sum, uint32_t full)
{
    if (sum == 0 || sum >= full) {
        return sum == 0 ? -MOST_WAKE_LOGIT_Q16 : MOST_WAKE_LOGIT_Q16;
    }
    const int32_t octaves = log2_q16(sum) - log2_q16(full - sum);
    const int32_t logit = (int32_t)((int64_t)octaves * WW_LOGE_2 / 65536);
    return logit > MOST_WAKE_LOGIT_Q16    ? MOST_WAKE_LOGIT_Q16
           : logit < -MOST_WAKE_LOGIT_Q16 ? -MOST_WAKE_LOGIT_Q16
                                          : logit;
}

/* 1 / (1 + exp(-logit)), of WW_PHRASE_FULL. */
static uint32_t logistic(int32_t logit)
{
    const uint32_t size = (uint32_t)(logit < 0 ? -logit : logit);
    const uint64_t octaves_q30 = (uint64_t)size * LOG2_E_Q30 >> 16;
    const int whole = (int)(octaves_q30 >> 30);
    const uint32_t rest = (uint32_t)octaves_q30 & 0x3FFFFFFF;
    /* 2^-rest, Q30: a Taylor polynomial in -rest ln 2, seven terms, error under 2^-20 */
    const uint32_t x = (uint32_t)((uint64_t)rest * 744261118U >> 30); /* ln 2, Q30 */
    uint32_t power = 0;
    for (uint32_t term = 8; term > 0; term--) { /* Horner: 1 - x (1 - x/2 (1 - x/3 ...)) */
        power = (uint32_t)(((uint64_t)x * ((1U << 30) - power) >> 30) / term);
    }
    const uint32_t tail = whole < 31 ? ((1U << 30) - power) >> whole : 0; /* exp(-|logit|), Q30 */
    const uint32_t sum = (1U << 30) + tail;
    const uint32_t small = (uint32_t)(((uint64_t)tail * WW_PHRASE_FULL + sum / 2) / sum);
    return logit < 0 ? small : WW_PHRASE_FULL - small;
}

uint32_t ww_phrase_score(const ww_phrase *phrase, const uint8_t *ring, uint32_t heard,
                         uint32_t wake_sum)
{
    if (wake_sum < phrase->floor) {
        return 0;
    }
    const uint8_t *string = phrase->strings;
    int32_t best_own = WW_PHRASE_NONE, best_other = WW_PHRASE_NONE, fit_q16 = WORST_Q16;
    for (int i = 0; i < phrase->all; i++, string += string[0] + 1) {
        const int32_t total = ww_phrase_path(phrase, ring, heard, string);
        if (i < phrase->own) {
            const int64_t a_phone_q16 = (int64_t)total * phrase->a_phone[i] / 256;
            best_own = larger(best_own, total);
            fit_q16 = a_phone_q16 > fit_q16 ? (int32_t)a_phone_q16 : fit_q16;
        } else {
            best_other = larger(best_other, total);
        }
    }
    const int64_t lead_q16 = (int64_t)(best_own - best_other) * phrase->unit / 256;
    const int32_t margin_q16 = lead_q16 > 0           ? 0
                               : lead_q16 < WORST_Q16 ? WORST_Q16
                                                      : (int32_t)lead_q16;
    const int64_t fused = (int64_t)phrase->wake * wake_logit(wake_sum, phrase->full) +
                          (int64_t)phrase->phrase * fit_q16 + (int64_t)phrase->margin * margin_q16;
    const int64_t logit = phrase->bias + fused / (1 << 20);
    return logistic(logit > MOST_LOGIT_Q16    ? MOST_LOGIT_Q16
                    : logit < -MOST_LOGIT_Q16 ? -MOST_LOGIT_Q16
                                              : (int32_t)logit);
}
