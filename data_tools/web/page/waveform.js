// A picture of sound on a canvas: bars of the peaks, and how far it has been played.
const BAR_PX = 3;
const GAP_PX = 2;

export class Waveform {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    this.samples = null;
    this.live = [];
    this.played = null;
    this.draw();
  }

  // A block of samples that is being recorded; the newest stands at the right.
  push(block) {
    let peak = 0;
    for (const sample of block) peak = Math.max(peak, Math.abs(sample));
    this.live.push(peak);
    this.draw();
  }

  show(samples) {
    this.samples = samples;
    this.played = null;
    this.draw();
  }

  // `share` from 0 to 1 has been played; null: not playing.
  play(share) {
    this.played = share;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (!width || !height) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const paint = canvas.getContext("2d");
    const colours = getComputedStyle(canvas);
    const step = (BAR_PX + GAP_PX) * scale;
    const count = Math.floor(width / step);
    const peaks = this.samples ? peaksOf(this.samples, count) : this.live.slice(-count);
    paint.clearRect(0, 0, width, height);
    for (let i = 0; i < count; i++) {
      const peak = peaks[i] ?? 0;
      // Quiet speech shall be seen, too: the height follows the square root.
      const bar = Math.max(2 * scale, Math.min(1, Math.sqrt(peak)) * height);
      const isPast = this.played === null || i < this.played * count;
      const isEmpty = !this.samples && i >= peaks.length;
      paint.fillStyle = isEmpty || !isPast
        ? colours.getPropertyValue("--line")
        : colours.getPropertyValue("--wave");
      paint.beginPath();
      paint.roundRect(i * step, (height - bar) / 2, BAR_PX * scale, bar, BAR_PX * scale / 2);
      paint.fill();
    }
  }
}

function peaksOf(samples, count) {
  const peaks = new Array(count).fill(0);
  for (let i = 0; i < samples.length; i++) {
    const bar = Math.floor((i * count) / samples.length);
    peaks[bar] = Math.max(peaks[bar], Math.abs(samples[i]));
  }
  return peaks;
}
