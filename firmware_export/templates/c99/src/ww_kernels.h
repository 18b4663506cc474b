/* The few operations that a network's generated steps call.
 *
 * The arithmetic is that of TensorFlow Lite's int8 reference kernels (The TensorFlow Authors,
 * Apache-2.0). The code is our own.
 */
#ifndef WW_KERNELS_H
#define WW_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* A positive real factor: multiplier * 2^(exponent - 31). */
typedef struct {
    int32_t multiplier;
    int8_t exponent;
} ww_scale;

/* A convolution, a fully connected layer, or a depthwise convolution. A window of the input is
 * `rows` runs of `row_size` values, `row_step` apart; windows lie wholly inside the input. */
typedef struct {
    const uint32_t *pairs; /* dense: [outputs / 8][taps / 2][4]; see ww_kernels.c */
    const int8_t *weights; /* depthwise: [taps][outputs] */
    const int32_t *bias;   /* with the input's zero point folded in; dense: a multiple of 8 */
    const ww_scale *scales;
    uint8_t scale_step; /* 1: a scale for each output; 0: one for all */
    uint8_t once;       /* 1: the scaled sum is rounded once */
    uint8_t widened;    /* 1: `wide` holds the window already */
    uint16_t outputs, rows, row_size, row_step;
    uint16_t taps;  /* dense: rows * row_size, up to a multiple of 8 */
    uint16_t depth; /* depthwise: the input's channels */
    uint16_t down, down_step, across, across_step; /* windows, and values between two */
    int16_t zero, low, high;
} ww_product;

/* ADD and MUL of two tensors of one shape. ADD's first has the larger scale, which counts as a
 * half, and `b` is the other's; the sum's scale `out` is 1 at most. */
typedef struct {
    ww_scale b, out;
    int16_t zero_a, zero_b, zero, low, high;
} ww_pair;

/* AVERAGE_POOL_2D and MAX_POOL_2D. */
typedef struct {
    uint16_t height, width, depth, window_height, window_width, stride_down, stride_across;
    uint16_t pad_top, pad_left, down, across;
    int16_t low, high;
} ww_pool;

/* `count` blocks of `block` bytes. */
void ww_copy(int8_t *to, const int8_t *from, size_t block, size_t count, ptrdiff_t to_step,
             ptrdiff_t from_step);
/* Any function of one value: to[i] = table[from[i]], the byte taken as unsigned. */
void ww_table(int8_t *to, const int8_t *from, size_t size, const uint8_t table[256]);
void ww_add(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *pair);
void ww_multiply(int8_t *to, const int8_t *a, const int8_t *b, size_t size, const ww_pair *pair);
/* `wide` has room for the product's taps, two a word. */
void ww_dense(int8_t *to, const int8_t *from, uint32_t *wide, const ww_product *product);
void ww_depthwise(int8_t *to, const int8_t *from, const ww_product *product);
void ww_average_pool(int8_t *to, const int8_t *from, const ww_pool *pool);
void ww_max_pool(int8_t *to, const int8_t *from, const ww_pool *pool);

#endif
