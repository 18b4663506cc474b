// Runs in the audio thread: hands the samples on, 1024 at a time, exactly as they came.
class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(1024);
    this.filled = 0;
  }

  process([input]) {
    const samples = input[0];
    if (!samples) return true; // no microphone connected at this moment
    for (let at = 0; at < samples.length;) {
      const count = Math.min(samples.length - at, this.block.length - this.filled);
      this.block.set(samples.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled === this.block.length) {
        this.port.postMessage(this.block, [this.block.buffer]);
        this.block = new Float32Array(1024);
        this.filled = 0;
      }
    }
    return true;
  }
}
registerProcessor("capture", Capture);
