/* Compares this library with golden.bin, stage by stage: `golden_test golden.bin`.
 *
 * The file, all numbers little-endian: "wwgolden", u32 version (1), u32 samples, u32 frames,
 * u32 models; i16 audio; u16 frames, 40 each; then for each model u32 steps, u32 bytes of outputs
 * a step, u32 threshold, u32 detections; u8 outputs; and each detection as u32 unit, u32 score,
 * u32 started_unit. The frames are pymicro-features', the outputs TFLite's reference kernels', the
 * detections the Python decision's at that threshold; scores are of wakeword_detection.full, and those
 * of a second ear may differ by a ten-thousandth of it. */
#include <stdio.h>
#include <string.h>

#include "wakeword.h"

#define HEADER_BYTES 24

static int failed;

static uint32_t read_number(FILE *file, int size)
{
    uint32_t number = 0;
    for (int i = 0; i < size; i++) {
        const int byte = getc(file);
        if (byte == EOF) {
            puts("golden.bin is cut short");
            failed = 1;
            return 0;
        }
        number |= (uint32_t)byte << (8 * i);
    }
    return number;
}

static FILE *open_at(const char *path, long place)
{
    FILE *file = fopen(path, "rb");
    if (file != NULL && fseek(file, place, SEEK_SET) != 0) {
        fclose(file);
        file = NULL;
    }
    return file;
}

static void report(const char *stage, const char *name, unsigned long compared,
                   unsigned long differing, unsigned long largest)
{
    printf("%s %s %lu %lu %lu\n", stage, name, compared, differing, largest);
    failed |= differing > 0;
}

static void note(uint32_t expected, uint32_t found, unsigned long *differing,
                 unsigned long *largest)
{
    const uint32_t distance = expected > found ? expected - found : found - expected;
    *differing += distance > 0;
    *largest = distance > *largest ? distance : *largest;
}

static void check_frames(FILE *audio, FILE *frames, uint32_t samples, uint32_t expected)
{
    static ww_frontend frontend;
    static int16_t scratch[WW_FFT_SIZE];
    uint16_t frame[WW_CHANNELS];
    unsigned long count = 0, differing = 0, largest = 0;
    ww_frontend_reset(&frontend);
    for (uint32_t i = 0; i < samples; i++) {
        const int16_t sample = (int16_t)(uint16_t)read_number(audio, 2);
        int ready;
        ww_frontend_push(&frontend, &sample, 1, scratch, frame, &ready);
        for (int k = 0; ready && k < WW_CHANNELS; k++) {
            note(read_number(frames, 2), frame[k], &differing, &largest);
        }
        count += (unsigned long)ready;
    }
    report("frames", "-", count, differing + (count != expected), largest);
}

static void check_steps(FILE *frames, FILE *outputs, const ww_model *model, uint32_t steps,
                        uint32_t bytes)
{
    static int8_t input[255 * WW_CHANNELS], variables[WAKEWORD_STATE_BYTES];
    static int8_t output[WAKEWORD_OUTPUT_BYTES];
    static uint32_t aligned[(WAKEWORD_ARENA_BYTES + 3) / 4];
    int8_t *const arena = (int8_t *)aligned;
    unsigned long differing = 0, largest = 0;
    model->reset(variables);
    for (uint32_t step = 0; step < steps; step++) {
        for (int i = 0; i < model->stride * WW_CHANNELS; i++) {
            input[i] = ww_quantize_channel((uint16_t)read_number(frames, 2));
        }
        model->step(input, variables, arena, output);
        for (uint32_t i = 0; i < bytes; i++) {
            note(read_number(outputs, 1), (uint8_t)output[i], &differing, &largest);
        }
    }
    report("outputs", model->name, (unsigned long)steps * bytes, differing, largest);
}

/* The whole detector, on blocks of changing size. */
static void check_detections(FILE *audio, FILE *expected, uint8_t number, uint32_t samples,
                             uint32_t threshold, uint32_t count)
{
    static wakeword ears;
    static int16_t block[1024];
    static const uint32_t sizes[] = {480, 1, 160, 1024, 7, 333};
    unsigned long found_count = 0, differing = 0, largest = 0;
    wakeword_init(&ears);
    for (uint8_t i = 0; i < WAKEWORD_MODELS; i++) {
        wakeword_set_threshold(&ears, i, i == number ? threshold : UINT32_MAX);
    }
    for (uint32_t at = 0, turn = 0; at < samples; turn++) {
        const uint32_t wanted = sizes[turn % 6];
        const uint32_t size = samples - at < wanted ? samples - at : wanted;
        wakeword_detection found;
        for (uint32_t i = 0; i < size; i++) {
            block[i] = (int16_t)(uint16_t)read_number(audio, 2);
        }
        at += size;
        if (wakeword_push(&ears, block, size, &found, 1) > 0 && found_count++ < count) {
            note(read_number(expected, 4), found.unit, &differing, &largest);
            const uint32_t score = read_number(expected, 4); /* a second ear's is near enough */
            const uint32_t apart = score > found.score ? score - found.score : found.score - score;
            const int near = wakeword_models[number].second_ear && apart <= found.full / 10000;
            note(score, near ? score : found.score, &differing, &largest);
            note(read_number(expected, 4), found.started_unit, &differing, &largest);
        }
    }
    report("detections", wakeword_models[number].name, count,
           differing + (found_count != count), largest);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "golden.bin";
    char magic[8];
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(magic, 8, 1, file) != 1 || memcmp(magic, "wwgolden", 8) != 0 ||
        read_number(file, 4) != 1) {
        printf("%s: not a golden file of version 1\n", path);
        return 1;
    }
    const uint32_t samples = read_number(file, 4), frames = read_number(file, 4);
    if (read_number(file, 4) != WAKEWORD_MODELS) {
        printf("%s: made for other models\n", path);
        return 1;
    }
    const long frames_at = HEADER_BYTES + 2 * (long)samples;
    long at = frames_at + 2 * WW_CHANNELS * (long)frames;
    for (int model = -1; model < WAKEWORD_MODELS && !failed; model++) {
        FILE *audio = open_at(path, HEADER_BYTES), *frame_file = open_at(path, frames_at);
        FILE *rest = open_at(path, at);
        if (audio == NULL || frame_file == NULL || rest == NULL) {
            printf("%s: cannot be opened again\n", path);
            return 1;
        }
        if (model < 0) {
            check_frames(audio, frame_file, samples, frames);
        } else {
            const uint32_t steps = read_number(rest, 4), bytes = read_number(rest, 4);
            const uint32_t threshold = read_number(rest, 4), count = read_number(rest, 4);
            check_steps(frame_file, rest, &wakeword_models[model], steps, bytes);
            check_detections(audio, rest, (uint8_t)model, samples, threshold, count);
            at += 16 + (long)steps * (long)bytes + 12 * (long)count;
        }
        fclose(audio);
        fclose(frame_file);
        fclose(rest);
    }
    fclose(file);
    puts(failed ? "FAILED" : "equal");
    return failed;
}
