// Plays one thing at a time. Its context is made at the first click, as browsers want it.
let context = null;
let playing = null;

export function isPlaying() {
  return playing !== null;
}

export async function decode(bytes) {
  context ??= new AudioContext();
  return context.decodeAudioData(bytes);
}

export function toBuffer(samples, rate) {
  const buffer = new AudioBuffer({ length: samples.length, numberOfChannels: 1, sampleRate: rate });
  buffer.copyToChannel(samples, 0);
  return buffer;
}

// Plays an AudioBuffer; `onprogress` is called with 0 to 1, and with null at the end.
export async function play(buffer, onprogress = () => {}) {
  stop();
  context ??= new AudioContext();
  await context.resume();
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  const started = context.currentTime;
  const mine = { source };
  playing = mine;
  source.onended = () => {
    if (playing === mine) playing = null;
    onprogress(null);
  };
  source.start();
  const tick = () => {
    if (playing !== mine) return;
    onprogress(Math.min(1, (context.currentTime - started) / buffer.duration));
    requestAnimationFrame(tick);
  };
  tick();
}

export function stop() {
  playing?.source.stop();
  playing = null;
}
