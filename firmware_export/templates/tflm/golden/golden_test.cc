// Compares TFLM's outputs with golden.bin, whose format stands in golden/FORMAT.txt. TFLM's kernels
// round a little otherwise than TFLite's: up to @TOLERANCE@ of 256 is let through.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "wakeword_model.h"
#include "wakeword_tflm.h"

namespace {

constexpr int kChannels = 40;
constexpr int kTolerance = @TOLERANCE@;

unsigned Number(const unsigned char* at, int size) {
  unsigned number = 0;
  for (int i = 0; i < size; i++) number |= static_cast<unsigned>(at[i]) << (8 * i);
  return number;
}

}  // namespace

int main(int argc, char** argv) {
  std::FILE* file = std::fopen(argc > 1 ? argv[1] : "golden.bin", "rb");
  if (file == nullptr) return std::puts("no golden.bin"), 1;
  std::vector<unsigned char> data;
  for (int byte = std::getc(file); byte != EOF; byte = std::getc(file)) {
    data.push_back(static_cast<unsigned char>(byte));
  }
  std::fclose(file);
  if (data.size() < 24 || std::memcmp(data.data(), "wwgolden", 8) != 0 || !wakeword::Init()) {
    return std::puts("not a golden file, or the model could not be loaded"), 1;
  }
  const unsigned samples = Number(&data[12], 4), frames = Number(&data[16], 4);
  const unsigned char* frame = &data[24 + 2 * samples];
  const unsigned char* model = frame + 2 * kChannels * frames;
  const unsigned steps = Number(model, 4), bytes = Number(model + 4, 4);
  int largest = 0, differing = 0;
  for (unsigned step = 0; step < steps; step++) {
    int8_t input[kWakewordStride * kChannels];
    for (int8_t& value : input) {
      const int scaled = static_cast<int>(Number(frame, 2) * 256 + 333) / 666 - 128;
      value = static_cast<int8_t>(scaled < 127 ? scaled : 127);
      frame += 2;
    }
    const int expected = model[16 + step * bytes + @OUTPUT_AT@];
    const int distance = std::abs(wakeword::Step(input) - expected);
    differing += distance > 0;
    largest = distance > largest ? distance : largest;
  }
  std::printf("outputs %u, %d differ, by %d at most\n", steps, differing, largest);
  return largest > kTolerance;
}
