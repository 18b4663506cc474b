// The microphone: an open stream of samples at the device's own rate, its level, and takes.
import { VoiceEnd, levelDb } from "./voice.js";

const PRE_ROLL_S = 0.3; // kept from before the button, for whoever speaks too early

export class Microphone {
  // Opens a microphone, with the browser's question if need be. Call it from a click.
  // Throws what getUserMedia throws: NotAllowedError, NotFoundError, NotReadableError...
  static async open(deviceId) {
    if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
      throw new DOMException("no AudioWorklet", "NotSupportedError");
    }
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        deviceId: deviceId ? { ideal: deviceId } : undefined,
        channelCount: 1,
        // A wake word detector hears the raw microphone, and so must the training.
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
      },
    });
    const microphone = new Microphone(stream);
    try {
      await microphone.start();
    } catch (error) {
      microphone.close();
      throw error;
    }
    return microphone;
  }

  constructor(stream) {
    this.stream = stream;
    this.track = stream.getAudioTracks()[0];
    this.onlevel = () => {}; // called with the level of every block, dB relative to full scale
    this.onlost = () => {};
    this.recent = [];
    this.take = null;
    // Firefox wants the context at the track's rate; where the rate is unknown it is the same.
    const rate = this.track.getSettings().sampleRate;
    this.context = new AudioContext(rate ? { sampleRate: rate } : {});
    this.track.addEventListener("ended", () => this.lose());
    // A telephone call or another app stops the context on phones; it goes on afterwards.
    this.wake = () => document.visibilityState === "visible" && this.context.resume();
    document.addEventListener("visibilitychange", this.wake);
  }

  get rate() {
    return this.context.sampleRate;
  }

  get deviceId() {
    return this.track.getSettings().deviceId;
  }

  async start() {
    await this.context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
    await this.context.resume();
    const source = this.context.createMediaStreamSource(this.stream);
    this.node = new AudioWorkletNode(this.context, "capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    this.node.port.onmessage = ({ data }) => this.hear(data);
    source.connect(this.node);
  }

  hear(block) {
    this.onlevel(levelDb(block), block);
    this.recent.push(block);
    const spare = Math.ceil((PRE_ROLL_S * this.rate) / block.length);
    if (this.recent.length > spare) this.recent.shift();
    this.take?.push(block);
  }

  // Records until the voice ends, stop() is called, or maxS have passed. `silenceS` is how long a
  // pause ends it; null records exactly maxS. Resolves to the samples, a Float32Array.
  record({ maxS, silenceS, onspeech, onprogress }) {
    const blocks = silenceS === null ? [] : [...this.recent];
    const voice = new VoiceEnd(this.rate, silenceS, this.recent);
    const limit = maxS * this.rate;
    let count = 0;
    return new Promise((resolve, reject) => {
      const finish = () => {
        this.take = null;
        resolve(joined(blocks));
      };
      this.take = {
        push: (block) => {
          blocks.push(block);
          count += block.length;
          onprogress?.(count / this.rate, block);
          if (silenceS !== null) {
            const wasSpeaking = voice.speaking;
            if (voice.push(block)) return finish();
            if (voice.speaking && !wasSpeaking) onspeech?.();
          }
          if (count >= limit) finish();
        },
        finish,
        lose: () => {
          this.take = null;
          reject(new DOMException("microphone lost", "AbortError"));
        },
      };
    });
  }

  stop() {
    this.take?.finish();
  }

  lose() {
    this.close();
    this.take?.lose();
    this.onlost();
  }

  close() {
    if (this.node) this.node.port.onmessage = null;
    this.track.stop();
    document.removeEventListener("visibilitychange", this.wake);
    if (this.context.state !== "closed") this.context.close();
  }

  static async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter((device) => device.kind === "audioinput");
  }
}

function joined(blocks) {
  const samples = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    samples.set(block, at);
    at += block.length;
  }
  return samples;
}
