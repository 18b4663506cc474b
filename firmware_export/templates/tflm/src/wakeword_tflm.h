// A wake-phrase detector on TensorFlow Lite Micro: 16 kHz mono int16 audio in, detections out.
#ifndef WAKEWORD_TFLM_H_
#define WAKEWORD_TFLM_H_

#include <cstddef>
#include <cstdint>

namespace wakeword {

// Makes the front end and the interpreter. False when the arena is too small or an operator is
// missing; TFLM says which on its debug log.
bool Init();

// As new. TFLM sets every variable to its zero point, which is where the model starts from.
void Reset();

// Hears any number of samples; true if the phrase was in them.
bool Push(const int16_t* samples, size_t count);

// One step of the network on stride * 40 int8 values; the probability of 256, or -1 on failure.
int Step(const int8_t* frames);

}  // namespace wakeword

#endif  // WAKEWORD_TFLM_H_
