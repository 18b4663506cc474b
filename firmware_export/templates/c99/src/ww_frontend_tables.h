/* Tables and constants that the exporter computes from the front-end settings. */
#ifndef WW_FRONTEND_TABLES_H
#define WW_FRONTEND_TABLES_H

#include <stdint.h>

#include "ww_frontend.h"

@DEFINES@

extern const int16_t ww_window[WW_WINDOW_SAMPLES];               /* Hann, Q12 */
extern const uint8_t ww_fft_order[WW_FFT_SIZE / 2];              /* base-4 digits reversed */
extern const int16_t ww_twiddles[2 * 3 * WW_FFT_SIZE / 8];       /* exp(-2 pi i k / 256), Q15 */
extern const int16_t ww_real_twiddles[2 * WW_FFT_SIZE / 4];      /* Q15 */
extern const uint8_t ww_filter_widths[WW_CHANNELS + 1];          /* FFT bins in each rise */
extern const int16_t ww_filter_weights[WW_FILTER_BINS];          /* rising sides, Q12 */
extern const int16_t ww_filter_unweights[WW_FILTER_BINS];        /* falling sides, Q12 */
extern const uint8_t ww_root_table[192];                         /* roots of 256 * (64..255) */
extern const int16_t ww_gain_table[4 * 32 - 3];                  /* PCAN gain over the noise */
extern const uint16_t ww_log_table[WW_LOG_SEGMENTS + 1];         /* log2(1 + x) - x, Q16 */

#endif
