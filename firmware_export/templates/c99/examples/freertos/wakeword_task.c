/* A FreeRTOS task that listens. The DMA fills two halves of 30 ms by turns; its interrupt gives each
 * finished half to the task, which must be done with it before the other half is full. */
#include "FreeRTOS.h"
#include "task.h"
#include "wakeword.h"

#define HALF WAKEWORD_UNIT_SAMPLES

void microphone_start_circular_dma(int16_t *buffer, size_t samples); /* yours */
void lamp_switch(int on);                                            /* yours */

static int16_t dma_buffer[2 * HALF];
static TaskHandle_t listener;

/* Call it from the DMA's half-complete (0) and complete (1) interrupts. */
void microphone_dma_interrupt(uint32_t half)
{
    BaseType_t woken = pdFALSE;
    xTaskNotifyFromISR(listener, 1U << half, eSetBits, &woken);
    portYIELD_FROM_ISR(woken);
}

static void listen(void *unused)
{
    static wakeword ears;
    (void)unused;
    wakeword_init(&ears);
    microphone_start_circular_dma(dma_buffer, 2 * HALF);
    for (;;) {
        uint32_t halves = 0;
        wakeword_detection heard;
        xTaskNotifyWait(0, 3, &halves, portMAX_DELAY);
        if (halves == 3) { /* both are full: audio was lost */
            wakeword_reset(&ears);
            continue;
        }
        if (wakeword_push(&ears, dma_buffer + (halves == 2 ? HALF : 0), HALF, &heard, 1) > 0) {
            lamp_switch(1);
        }
    }
}

void wakeword_task_start(void)
{
    /* 384 words of stack: the library takes 550 to 900 bytes, the rest is the kernel's */
    xTaskCreate(listen, "wakeword", 384, NULL, tskIDLE_PRIORITY + 2, &listener);
}
