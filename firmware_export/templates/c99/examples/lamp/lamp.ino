// The built-in LED as a lamp, for boards with a PDM microphone (Nano 33 BLE Sense and others).
#include <PDM.h>

extern "C" {
#include <wakeword.h>
}

static wakeword ears;
static int16_t blocks[2][256];       // one is heard while the other fills
static volatile int filled[2] = {0, 0};
static volatile bool lost = false;

static void onAudio() {
  static int writing = 0;
  int bytes = PDM.available();
  if (bytes > (int)sizeof blocks[0]) bytes = sizeof blocks[0];
  if (filled[writing] > 0) {  // the loop is a block late
    lost = true;
    return;
  }
  filled[writing] = PDM.read(blocks[writing], bytes) / 2;
  writing = 1 - writing;
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
  static int reading = 0;
  if (filled[reading] == 0) return;
  if (lost) {
    lost = false;
    wakeword_reset(&ears);
  }
  wakeword_detection heard;
  if (wakeword_push(&ears, blocks[reading], filled[reading], &heard, 1) > 0) {
    digitalWrite(LED_BUILTIN, HIGH);
  }
  filled[reading] = 0;
  reading = 1 - reading;
}
