// When has somebody finished speaking? By level: over the room's noise, and then not for a while.
const FLOOR_S = 3; // the noise is the quietest tenth of so long
const OVER_NOISE_DB = 10;
const FAINTEST_DB = -66; // below this nothing is speech
const STARTS_AFTER_S = 0.06; // a click is shorter
const LEAST_DB = -120;

export function levelDb(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.max(LEAST_DB, 10 * Math.log10(sum / samples.length + 1e-12));
}

export class VoiceEnd {
  // `before` are blocks of samples from just before, which tell the noise of the room.
  constructor(rate, silenceS, before) {
    this.rate = rate;
    this.silenceS = silenceS;
    this.speaking = false;
    this.loudS = 0;
    this.quietS = 0;
    this.levels = before.map(levelDb);
  }

  // Takes the next block; true when the voice has ended.
  push(block) {
    const level = levelDb(block);
    const blockS = block.length / this.rate;
    this.levels.push(level);
    if (this.levels.length > FLOOR_S / blockS) this.levels.shift();
    const sorted = [...this.levels].sort((a, b) => a - b);
    const noise = sorted[Math.floor(sorted.length / 10)];
    if (level > Math.max(noise + OVER_NOISE_DB, FAINTEST_DB)) {
      this.loudS += blockS;
      this.quietS = 0;
      if (this.loudS >= STARTS_AFTER_S) this.speaking = true;
    } else {
      this.loudS = 0;
      this.quietS += blockS;
    }
    return this.speaking && this.quietS >= this.silenceS;
  }
}
