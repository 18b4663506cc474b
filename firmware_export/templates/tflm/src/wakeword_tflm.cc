#include "wakeword_tflm.h"

#include <cstring>

#include "tensorflow/lite/experimental/microfrontend/lib/frontend.h"
#include "tensorflow/lite/experimental/microfrontend/lib/frontend_util.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "wakeword_model.h"

namespace wakeword {
namespace {

constexpr int kChannels = 40;
constexpr int kVariableArenaBytes = 1024;

alignas(16) uint8_t arena[kWakewordArenaBytes];
alignas(16) uint8_t variable_arena[kVariableArenaBytes];
tflite::MicroInterpreter* interpreter = nullptr;
FrontendState frontend;

int8_t frames[kWakewordStride * kChannels];
int frames_held;
uint8_t recent[kWakewordWindow];  // the last probabilities
int next;                         // the oldest of them
int score;                        // their sum
int steps;                        // since the reset, up to the warm-up
int quiet_steps;                  // since it last fired, up to the refractory time
bool armed;

bool InitFrontend() {
  FrontendConfig config;
  FrontendFillConfigWithDefaults(&config);
  config.window.size_ms = 30;
  config.window.step_size_ms = 10;
  config.filterbank.num_channels = kChannels;
  config.filterbank.lower_band_limit = 125.0f;
  config.filterbank.upper_band_limit = 7500.0f;
  config.noise_reduction.smoothing_bits = 10;
  config.noise_reduction.even_smoothing = 0.025f;
  config.noise_reduction.odd_smoothing = 0.06f;
  config.noise_reduction.min_signal_remaining = 0.05f;
  config.pcan_gain_control.enable_pcan = 1;
  config.pcan_gain_control.strength = 0.95f;
  config.pcan_gain_control.offset = 80.0f;
  config.pcan_gain_control.gain_bits = 21;
  config.log_scale.enable_log = 1;
  config.log_scale.scale_shift = 6;
  return FrontendPopulateState(&config, &frontend, 16000) != 0;
}

bool Decide(uint8_t probability) {
  if (steps < kWakewordWarmUpSteps) {
    steps++;
    probability = 0;  // the network has not heard enough to know
  }
  score += probability - recent[next];
  recent[next] = probability;
  next = (next + 1) % kWakewordWindow;
  if (quiet_steps < kWakewordRefractorySteps) quiet_steps++;
  if (score < kWakewordThreshold) {
    armed = true;
    return false;
  }
  if (!armed || quiet_steps < kWakewordRefractorySteps) return false;
  armed = false;
  quiet_steps = 0;
  return true;
}

}  // namespace

bool Init() {
  static WakewordOpResolver resolver;
  if (interpreter != nullptr) return true;
  if (!InitFrontend() || WakewordRegisterOps(resolver) != kTfLiteOk) return false;
  tflite::MicroAllocator* allocator =
      tflite::MicroAllocator::Create(variable_arena, kVariableArenaBytes);
  tflite::MicroResourceVariables* variables =
      tflite::MicroResourceVariables::Create(allocator, kWakewordVariables);
  static tflite::MicroInterpreter made(tflite::GetModel(g_wakeword_model), resolver, arena,
                                       kWakewordArenaBytes, variables);
  if (made.AllocateTensors() != kTfLiteOk) return false;
  interpreter = &made;
  Reset();
  return true;
}

void Reset() {
  interpreter->Reset();
  FrontendReset(&frontend);
  std::memset(recent, 0, sizeof recent);
  frames_held = next = score = steps = 0;
  quiet_steps = kWakewordRefractorySteps;
  armed = true;
}

int Step(const int8_t* input) {
  std::memcpy(interpreter->input(0)->data.int8, input, sizeof frames);
  if (interpreter->Invoke() != kTfLiteOk) return -1;
  return interpreter->output(kWakewordOutput)->data.uint8[0];
}

bool Push(const int16_t* samples, size_t count) {
  bool fired = false;
  while (count > 0) {
    size_t taken = 0;
    FrontendOutput frame = FrontendProcessSamples(&frontend, samples, count, &taken);
    samples += taken;
    count -= taken;
    for (size_t i = 0; i < frame.size; i++) {
      const int value = (frame.values[i] * 256 + 333) / 666 - 128;
      frames[frames_held * kChannels + static_cast<int>(i)] =
          static_cast<int8_t>(value < 127 ? value : 127);
    }
    if (frame.size == 0 || ++frames_held < kWakewordStride) continue;
    frames_held = 0;
    const int probability = Step(frames);
    if (probability >= 0 && Decide(static_cast<uint8_t>(probability))) fired = true;
  }
  return fired;
}

}  // namespace wakeword
