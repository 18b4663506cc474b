#include "wakeword.h"

#include <string.h>

#if WAKEWORD_RING_BYTES > 0
#include "ww_phrase.h"
#endif

/* Where detections go. */
typedef struct {
    wakeword_detection *found;
    size_t room, count;
} report;

/* The network starts afresh within the same stream. */
static void restart(wakeword *w, uint8_t number)
{
    const ww_model *model = &wakeword_models[number];
    ww_listener *listener = &w->listeners[number];
    memset(listener->recent, 0, sizeof listener->recent);
    listener->next = 0;
    listener->frames = 0;
    listener->steps = 0;
    listener->sum = 0;
    listener->score = 0;
    listener->started = 0;
    listener->heard = 0;
    model->reset(w->state + model->state_at + model->stride * WW_CHANNELS);
}

void wakeword_init(wakeword *w)
{
    for (uint8_t i = 0; i < WAKEWORD_MODELS; i++) {
        wakeword_set_threshold(w, i, wakeword_models[i].threshold);
        w->listeners[i].rise_threshold = wakeword_models[i].rise_threshold;
    }
    wakeword_reset(w);
}

void wakeword_reset(wakeword *w)
{
    ww_frontend_reset(&w->frontend);
    w->unit = 0;
    w->unit_samples = 0;
    memset(w->outputs, 0, sizeof w->outputs);
    for (uint8_t i = 0; i < WAKEWORD_MODELS; i++) {
        restart(w, i);
        w->listeners[i].armed = 1;
        w->listeners[i].last_fired = 0U - wakeword_models[i].refractory_units;
    }
#if WAKEWORD_GATE
    w->kept_next = 0;
    w->kept_count = 0;
    w->quiet_units = 0;
    w->unit_energy = 0;
    w->floor_energy = 0;
    w->open = 0;
#endif
}

void wakeword_set_threshold(wakeword *w, uint8_t model, uint32_t threshold)
{
    w->listeners[model].threshold = threshold;
    w->listeners[model].rise_threshold = threshold / 2 + threshold % 2;
}

uint32_t wakeword_score(const wakeword *w, uint8_t model)
{
    return w->listeners[model].score;
}

const uint8_t *wakeword_outputs(const wakeword *w, uint8_t model)
{
    return (const uint8_t *)w->outputs + wakeword_models[model].outputs_at;
}

/* The smoothed probability, or with a second ear what both say. */
static uint32_t score(wakeword *w, ww_listener *listener, const ww_model *model)
{
#if WAKEWORD_RING_BYTES > 0
    const ww_phrase *ear = model->second_ear;
    if (ear != NULL) {
        uint8_t *ring = w->rings + ear->ring_at;
        ww_phrase_hear(ear, ring, listener->heard++,
                       (const uint8_t *)w->outputs + model->outputs_at + ear->output_at);
        return ww_phrase_score(ear, ring, listener->heard, listener->sum);
    }
#endif
    (void)w;
    (void)model;
    return listener->sum;
}

/* Takes a step's outputs; 1 when the phrase is here. `unit` is the step's place in time. */
static int decide(wakeword *w, ww_listener *listener, const ww_model *model, uint32_t unit)
{
    uint8_t probability = (uint8_t)w->outputs[model->outputs_at + model->wake_at];
    if (listener->steps < model->warm_up_steps) {
        listener->steps++;
        probability = 0; /* the network has not heard enough to know */
    }
    const uint32_t before = listener->score;
    listener->sum += probability;
    listener->sum -= listener->recent[listener->next];
    listener->recent[listener->next] = probability;
    listener->next = (uint8_t)(listener->next + 1 < model->window ? listener->next + 1 : 0);
    listener->score = score(w, listener, model);
    if (before < listener->rise_threshold && listener->score >= listener->rise_threshold) {
        listener->started = unit;
    }
    if (listener->score < listener->threshold) {
        listener->armed = 1;
        return 0;
    }
    if (!listener->armed || unit - listener->last_fired < model->refractory_units) {
        return 0;
    }
    listener->last_fired = unit;
    listener->armed = 0;
    return 1;
}

/* Gives a frame to every network; those whose step it completes run. */
static void hear(wakeword *w, const int8_t frame[WW_CHANNELS], uint32_t unit, report *to)
{
    for (uint8_t i = 0; i < WAKEWORD_MODELS; i++) {
        const ww_model *model = &wakeword_models[i];
        ww_listener *listener = &w->listeners[i];
        int8_t *state = w->state + model->state_at; /* the frames, then the network's variables */
        int8_t *outputs = w->outputs + model->outputs_at;
        memcpy(state + listener->frames * WW_CHANNELS, frame, WW_CHANNELS);
        if (++listener->frames < model->stride) {
            continue;
        }
        listener->frames = 0;
        model->step(state, state + model->stride * WW_CHANNELS, w->scratch.arena, outputs);
        if (decide(w, listener, model, unit)) {
            if (to->count < to->room) {
                const wakeword_detection detection = {i, listener->score, model->full,
                                                      w->unit + 1, listener->started};
                to->found[to->count] = detection;
            }
            to->count++;
        }
    }
}

#if WAKEWORD_GATE
/* Adds a sample to the unit's energy; at its end the gate opens, or closes. 1: it just opened. */
static int measure(wakeword *w, int16_t sample)
{
    w->unit_energy += (uint64_t)((int32_t)sample * sample);
    if (w->unit_samples + 1 < WAKEWORD_UNIT_SAMPLES) {
        return 0;
    }
    const uint64_t energy = w->unit_energy + WAKEWORD_UNIT_SAMPLES; /* digital silence is not 0 */
    w->unit_energy = 0;
    if (w->floor_energy == 0 || energy < w->floor_energy) {
        w->floor_energy = energy; /* falls at once, rises by 1/64 a unit */
    } else {
        w->floor_energy += w->floor_energy / 64 + 1;
    }
    if (energy >= WAKEWORD_GATE_MARGIN * w->floor_energy) {
        const int opened = !w->open;
        w->open = 1;
        w->quiet_units = 0;
        return opened;
    }
    if (w->open && ++w->quiet_units > WAKEWORD_GATE_HANGOVER) {
        w->open = 0;
    }
    return 0;
}

static void keep(wakeword *w, const int8_t frame[WW_CHANNELS])
{
    memcpy(w->kept[w->kept_next], frame, WW_CHANNELS);
    w->kept_next = (uint16_t)((w->kept_next + 1) % WAKEWORD_GATE_FRAMES);
    w->kept_count = (uint16_t)(w->kept_count + (w->kept_count < WAKEWORD_GATE_FRAMES));
}

/* The networks start afresh on the frames from before the gate opened. */
static void hear_kept(wakeword *w, report *to)
{
    for (uint8_t i = 0; i < WAKEWORD_MODELS; i++) {
        restart(w, i);
    }
    for (uint32_t age = w->kept_count; age > 0; age--) {
        const uint32_t place = (w->kept_next + WAKEWORD_GATE_FRAMES - age) % WAKEWORD_GATE_FRAMES;
        const uint32_t units_ago = (age - 1) * WW_HOP_SAMPLES / WAKEWORD_UNIT_SAMPLES;
        hear(w, w->kept[place], w->unit - units_ago, to);
    }
}
#endif

size_t wakeword_push(wakeword *w, const int16_t *samples, size_t count,
                     wakeword_detection *found, size_t room)
{
    report to = {found, room, 0};
    while (count > 0) {
        uint16_t raw[WW_CHANNELS];
        int8_t frame[WW_CHANNELS];
        int ready;
        const size_t unit_rest = (size_t)(WAKEWORD_UNIT_SAMPLES - w->unit_samples);
        const size_t taken =
            ww_frontend_push(&w->frontend, samples, count < unit_rest ? count : unit_rest,
                             w->scratch.fft, raw, &ready);
        if (ready) {
            for (int i = 0; i < WW_CHANNELS; i++) {
                frame[i] = ww_quantize_channel(raw[i]);
            }
#if WAKEWORD_GATE
            keep(w, frame);
            if (w->open) {
                hear(w, frame, w->unit, &to);
            }
#else
            hear(w, frame, w->unit, &to);
#endif
        }
#if WAKEWORD_GATE
        for (size_t i = 0; i < taken; i++) {
            if (measure(w, samples[i])) {
                hear_kept(w, &to);
            }
            w->unit_samples++;
        }
#else
        w->unit_samples = (uint16_t)(w->unit_samples + taken);
#endif
        if (w->unit_samples == WAKEWORD_UNIT_SAMPLES) {
            w->unit_samples = 0;
            w->unit++;
        }
        samples += taken;
        count -= taken;
    }
    return to.count;
}
