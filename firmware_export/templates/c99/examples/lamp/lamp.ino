// The built-in LED as a lamp, for boards with a PDM microphone (Nano 33 BLE Sense and others).
#include <PDM.h>

extern "C" {
#include <wakeword.h>
}

static wakeword ears;
static int16_t block[256];
static volatile int waiting = 0;

static void onAudio() {
  waiting = PDM.read(block, PDM.available() < (int)sizeof block ? PDM.available() : (int)sizeof block) / 2;
}

void setup() {
  pinMode(LED_BUILTIN, OUTPUT);
  wakeword_init(&ears);
  PDM.onReceive(onAudio);
  if (!PDM.begin(1, 16000)) {
    for (;;) digitalWrite(LED_BUILTIN, millis() / 100 % 2);  // no microphone
  }
}

void loop() {
  if (waiting == 0) return;
  int count = waiting;
  waiting = 0;
  wakeword_detection heard;
  if (wakeword_push(&ears, block, count, &heard, 1) > 0) digitalWrite(LED_BUILTIN, HIGH);
}
