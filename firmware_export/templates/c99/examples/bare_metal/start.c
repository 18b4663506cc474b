/* Reset for any Cortex-M: two vectors, the initialized data, then main through the C library's own
 * start (which semihosting needs). */
#include <stdint.h>

extern uint32_t stack_top[];
void _start(void); /* newlib: clears .bss, calls main, exits */
void reset_handler(void);

void reset_handler(void)
{
    _start();
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {
    (uintptr_t)stack_top,
    (uintptr_t)reset_handler,
};
