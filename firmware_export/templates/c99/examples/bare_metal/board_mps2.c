/* Arm's MPS2 board under QEMU: audio from the file audio.raw, text through semihosting, and the
 * library's own instructions (SysTick, with qemu's -icount shift=0) and stack. */
#include <stdio.h>

#include "board.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018)
#define INSTRUCTIONS_PER_TICK 40U /* 1 ns an instruction, 25 MHz */
#define STACK_PAINT 0xA5A5A5A5U
#define STACK_WORDS 4096 /* below main's frame that are painted and looked at */

static FILE *audio;
static uint32_t units, ticks_before, most_ticks, deepest_stack;
static uint64_t all_ticks;
static volatile uint32_t *stack_top; /* main's */

void board_init(void)
{
    uint32_t here;
    stack_top = (volatile uint32_t *)((uintptr_t)&here & ~(uintptr_t)3);
    audio = fopen("audio.raw", "rb");
    SYSTICK_RELOAD = 0xFFFFFF;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 5; /* on, the processor's clock, no interrupt */
}

/* Called between two pushes: what was the last one's share? */
static void measure(void)
{
    const uint32_t ticks = (ticks_before - SYSTICK_VALUE) & 0xFFFFFF;
    const volatile uint32_t *word = stack_top - STACK_WORDS;
    while (word < stack_top && *word == STACK_PAINT) {
        word++;
    }
    const uint32_t stack = (uint32_t)((uintptr_t)stack_top - (uintptr_t)word);
    deepest_stack = stack > deepest_stack ? stack : deepest_stack;
    most_ticks = ticks > most_ticks ? ticks : most_ticks;
    all_ticks += ticks;
}

int board_read_audio(int16_t *block, size_t count)
{
    uint32_t here;
    if (units > 0) {
        measure();
    }
    if (audio == NULL || fread(block, sizeof *block, count, audio) != count) {
        return 0;
    }
    units++;
    volatile uint32_t *free_end = (volatile uint32_t *)((uintptr_t)&here - 64);
    for (volatile uint32_t *word = stack_top - STACK_WORDS; word < free_end; word++) {
        *word = STACK_PAINT;
    }
    ticks_before = SYSTICK_VALUE;
    return 1;
}

void board_on_detection(const wakeword_detection *heard)
{
    printf("%s %lu %lu %lu\n", wakeword_models[heard->model].name, (unsigned long)heard->unit,
           (unsigned long)heard->score, (unsigned long)heard->started_unit);
}

int board_exit(void)
{
    const uint64_t mean = units > 0 ? all_ticks * INSTRUCTIONS_PER_TICK / units : 0;
    printf("measured %lu units, %lu instructions a unit, %lu at most, %lu bytes of stack\n",
           (unsigned long)units, (unsigned long)mean,
           (unsigned long)(most_ticks * INSTRUCTIONS_PER_TICK), (unsigned long)deepest_stack);
    return 0;
}
