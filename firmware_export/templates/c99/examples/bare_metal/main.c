/* The main loop of a lamp without an operating system. */
#include "board.h"
#include "wakeword.h"

int main(void)
{
    static wakeword ears;
    static int16_t block[WAKEWORD_UNIT_SAMPLES];
    board_init();
    wakeword_init(&ears);
    while (board_read_audio(block, WAKEWORD_UNIT_SAMPLES)) {
        wakeword_detection heard;
        if (wakeword_push(&ears, block, WAKEWORD_UNIT_SAMPLES, &heard, 1) > 0) {
            board_on_detection(&heard);
        }
    }
    return board_exit();
}
