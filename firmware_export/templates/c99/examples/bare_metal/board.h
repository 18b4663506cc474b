/* What the example needs of a board. board_mps2.c is the emulated one; write yours. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "wakeword.h"

void board_init(void);
/* Waits for the microphone's next samples (a DMA half-buffer); 0 when there will be no more. */
int board_read_audio(int16_t *block, size_t count);
void board_on_detection(const wakeword_detection *heard); /* the lamp */
int board_exit(void);

#endif
