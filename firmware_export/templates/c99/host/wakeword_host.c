/* Raw 16 kHz mono 16-bit little-endian PCM on standard input, a JSON line a detection out:
 *
 *     ffmpeg -i talk.mp3 -f s16le -ar 16000 -ac 1 - | ./wakeword_host
 *
 * The same lines as `wakeword detect - --no-gate --json`. */
#include <stdio.h>

#include "wakeword.h"

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('"');
}

int main(int count, char **arguments)
{
    if (count > 1) {
        fprintf(stderr, "%s: takes no file: raw 16 kHz 16-bit PCM on standard input\n", arguments[0]);
        return 2;
    }
    static wakeword ears;
    int16_t block[WAKEWORD_UNIT_SAMPLES];
    unsigned char bytes[sizeof block];
    wakeword_init(&ears);
    while (fread(bytes, sizeof bytes, 1, stdin) == 1) {
        wakeword_detection found[WAKEWORD_MODELS];
        for (size_t i = 0; i < WAKEWORD_UNIT_SAMPLES; i++) {
            block[i] = (int16_t)(uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
        }
        size_t count = wakeword_push(&ears, block, WAKEWORD_UNIT_SAMPLES, found, WAKEWORD_MODELS);
        for (size_t i = 0; i < count; i++) {
            const wakeword_detection *d = &found[i];
            printf("{\"name\": ");
            print_json_text(wakeword_models[d->model].name);
            printf(", \"phrase\": ");
            print_json_text(wakeword_models[d->model].phrase);
            printf(", \"score\": %.4f, \"time_s\": %.2f, \"started_s\": %.2f}\n",
                   (double)d->score / d->full, d->unit * 0.03, d->started_unit * 0.03);
            fflush(stdout);
        }
    }
    return ferror(stdin) != 0;
}
