// The microphone check: permission, a choice of microphones, and a level that is right.
import { text } from "./language.js";
import { Microphone } from "./microphone.js";
import { clearError, element, showMessage } from "./screens.js";

const REMEMBERED = "microphone";
const GOOD_DB = -40; // of the loudest moment; the bar's green part begins here
const LOUD_DB = -3; // of the peak
const MUTED_DB = -100;
const HOLD_S = 2; // how long a word stays visible in the bar's verdict
const FALL_DB = 1.5; // a block, so that the bar can be read

export class MicrophoneCheck {
  constructor(onready) {
    this.onready = onready;
    this.microphone = null;
    element("microphone-on").addEventListener("click", () => this.open());
    element("device").addEventListener("change", (event) => this.open(event.target.value));
    element("begin").addEventListener("click", () => {
      const microphone = this.microphone;
      this.microphone = null;
      microphone.onlevel = () => {};
      this.onready(microphone);
    });
  }

  start() {
    this.microphone?.close();
    this.microphone = null;
    this.toggle(false);
    element("microphone-on").focus();
  }

  async open(deviceId = localStorage.getItem(REMEMBERED)) {
    clearError();
    this.microphone?.close();
    try {
      this.microphone = await Microphone.open(deviceId);
    } catch (error) {
      this.start();
      showMessage(reason(error));
      return;
    }
    localStorage.setItem(REMEMBERED, this.microphone.deviceId ?? "");
    this.microphone.onlost = () => this.start();
    this.microphone.onlevel = (level, block) => this.level(level, block);
    this.shown = -60;
    this.best = { level: -120, peak: 0, at: 0 };
    await this.fillDevices();
    this.toggle(true);
    element("begin").focus();
  }

  toggle(isOn) {
    element("microphone-off").hidden = isOn;
    element("microphone-live").hidden = !isOn;
  }

  async fillDevices() {
    const options = (await Microphone.devices()).map(
      (device, i) => new Option(device.label || `${i + 1}`, device.deviceId),
    );
    element("device").replaceChildren(...options);
    element("device").value = this.microphone.deviceId;
  }

  level(level, block) {
    const now = performance.now() / 1000;
    const peak = block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    if (level > this.best.level || now - this.best.at > HOLD_S) {
      this.best = { level, peak, at: now };
    }
    this.best.peak = Math.max(this.best.peak, peak);
    this.shown = Math.max(level, this.shown - FALL_DB, -60);
    const bar = element("level");
    const loud = 20 * Math.log10(this.best.peak + 1e-9) > LOUD_DB;
    bar.firstElementChild.style.transform = `scaleX(${Math.min(1, 1 + this.shown / 60)})`;
    bar.setAttribute("aria-valuenow", Math.round(this.shown));
    bar.classList.toggle("good", this.best.level > GOOD_DB && !loud);
    bar.classList.toggle("loud", loud);
    const verdict = this.verdict(loud);
    // Written only when it changes, because a screen reader reads it then.
    if (element("verdict").textContent !== verdict) element("verdict").textContent = verdict;
  }

  verdict(loud) {
    if (loud) return text("microphone_loud");
    if (this.best.level > GOOD_DB) return text("microphone_good");
    if (this.best.level > MUTED_DB) return text("microphone_quiet");
    return text("microphone_none");
  }
}

function reason(error) {
  const keys = {
    NotAllowedError: "microphone_refused",
    SecurityError: "microphone_refused",
    NotFoundError: "microphone_missing",
    NotReadableError: "microphone_busy",
    AbortError: "microphone_busy",
    NotSupportedError: "microphone_old",
  };
  return keys[error.name] ? text(keys[error.name]) : `${error.name}: ${error.message}`;
}
