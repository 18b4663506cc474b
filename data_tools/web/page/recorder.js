// The recording screen: one prompt, one button, and what came of it.
import { problemText, text, translated } from "./language.js";
import * as player from "./player.js";
import { clearError, element, isShown, show, showError } from "./screens.js";
import { server } from "./server.js";
import { wavFile } from "./wav.js";
import { Waveform } from "./waveform.js";

const PAUSE_S = { phrase: 0.9, near_miss: 0.9, free_speech: 2.5, room_tone: null };
const LONG_TEXT = 60; // characters
// Refusals after which the same take may be sent again; after others it must be recorded again.
const PASSING = ["offline", "too_slow", "broken_off", "cut_short", "too_fast", "disk_full"];

export class Recorder {
  constructor({ onprogress, onend, onlost }) {
    Object.assign(this, { onprogress, onend, onlost });
    this.session = null;
    this.microphone = null;
    this.number = 0; // of the prompt
    this.stage = "ready"; // ready, recording, sending, judged, unsent
    this.take = null; // { samples, rate, answer, refusal }
    this.waveform = new Waveform(element("waveform"));
    const buttons = {
      go: () => this.go(),
      next: () => this.next(),
      resend: () => this.send(false),
      again: () => this.record(),
      anyway: () => this.send(true),
      play: () => this.play(),
      skip: () => this.next(),
    };
    for (const [id, action] of Object.entries(buttons)) element(id).addEventListener("click", action);
    document.addEventListener("keydown", (event) => this.key(event));
  }

  start(session, microphone) {
    this.session = session;
    this.microphone = microphone;
    microphone.onlost = () => {
      this.close();
      this.onlost();
    };
    this.number = -1;
    this.next();
  }

  close() {
    player.stop();
    this.microphone?.close();
    this.microphone = null;
  }

  get prompt() {
    return this.session.prompts[this.number];
  }

  get mayResend() {
    return this.stage === "unsent" && PASSING.includes(this.take.refusal.code);
  }

  // The next prompt without a take, from here on and then from the start.
  next() {
    player.stop();
    const { takes } = this.session;
    const order = takes.map((_, i) => (this.number + 1 + i) % takes.length);
    const number = order.find((i) => takes[i] === null);
    if (number === undefined) this.onend();
    else this.open(number);
  }

  open(number) {
    player.stop();
    this.number = number;
    this.take = null;
    this.waveform.clear();
    show("record");
    this.to("ready");
  }

  // Shows a stage; what the speaker would press next has the focus.
  to(stage) {
    this.stage = stage;
    this.refresh();
    if (stage === "ready" || stage === "recording") element("go").focus();
    if (stage === "unsent") element(this.mayResend ? "resend" : "again").focus();
    if (stage === "judged") element(this.take.answer.kept ? "next" : "again").focus();
  }

  refresh() {
    if (!this.session || !isShown("record")) return;
    this.showProgress();
    this.showPrompt();
    const { stage } = this;
    const isQuiet = this.prompt.kind === "room_tone";
    element("go").hidden = !["ready", "recording"].includes(stage);
    element("go").classList.toggle("recording", stage === "recording");
    element("go-text").textContent = text(stage === "recording" ? "stop" : "record");
    element("after").hidden = !["judged", "unsent"].includes(stage);
    element("resend").hidden = !this.mayResend;
    element("next").hidden = stage !== "judged" || !this.take.answer.kept;
    const insists = stage === "judged" && !this.take.answer.kept && this.take.answer.may_insist;
    element("anyway").hidden = !insists;
    const isBad = stage === "unsent" ? !this.mayResend : stage === "judged" && !this.take.answer.kept;
    element("again").classList.toggle("primary", isBad);
    element("play").textContent = text(player.isPlaying() ? "stop_playing" : "play");
    element("skip").hidden = stage === "judged" && this.take.answer.kept;
    element("skip").disabled = stage === "recording" || stage === "sending";
    const status = {
      ready: isQuiet ? "get_ready_silence" : "get_ready",
      recording: isQuiet ? "hushing" : "listening",
      sending: "sending",
    };
    this.say(status[stage] ? text(status[stage], { seconds: this.prompt.max_s }) : "");
    this.showVerdict();
  }

  showProgress() {
    const total = this.session.takes.length;
    const done = this.session.takes.filter((take) => take !== null).length;
    element("progress").max = total;
    element("progress").value = done;
    element("progress-text").textContent = text("progress", { done, total });
  }

  showPrompt() {
    const { kind, manner, max_s } = this.prompt;
    const isQuiet = kind === "room_tone";
    const words = isQuiet ? text("silence", { seconds: max_s }) : translated(this.prompt.text);
    const extra = { room_tone: text("silence_manner"), free_speech: text("free_speech_manner") };
    element("kind").textContent = text(`kind_${kind}`);
    element("prompt").textContent = words;
    element("prompt").classList.toggle("long", words.length > LONG_TEXT);
    element("manner").textContent = extra[kind] ?? translated(manner);
  }

  showVerdict() {
    const answer = this.stage === "judged" ? this.take.answer : null;
    const problems = answer?.problems ?? [];
    if (answer) {
      const key = !answer.kept ? "not_kept" : problems.length ? "noted" : "kept";
      this.say(text(key), answer.kept ? "good" : "bad");
    }
    element("problems").replaceChildren(
      ...problems.map((problem) => {
        const item = document.createElement("li");
        item.textContent = problemText(problem);
        return item;
      }),
    );
  }

  say(words, tone = "") {
    const status = element("status");
    status.className = tone;
    if (status.textContent !== words) status.textContent = words;
  }

  go() {
    if (this.stage === "recording") this.microphone.stop();
    else this.record();
  }

  async record() {
    player.stop();
    clearError();
    this.take = null;
    this.waveform.clear();
    this.to("recording");
    const { kind, max_s } = this.prompt;
    let samples;
    try {
      samples = await this.microphone.record({
        maxS: max_s,
        silenceS: PAUSE_S[kind],
        onspeech: () => this.say(text("hearing")),
        onprogress: (seconds, block) => {
          this.waveform.push(block);
          const left = Math.max(0, Math.ceil(max_s - seconds));
          if (kind === "room_tone") this.say(text("hushing", { seconds: left }));
        },
      });
    } catch {
      return; // the microphone is gone; the check screen says so
    }
    this.take = { samples, rate: this.microphone.rate, answer: null, refusal: null };
    this.waveform.show(samples);
    await this.send(false);
  }

  async send(anyway) {
    clearError();
    const { take, number } = this;
    this.to("sending");
    try {
      take.answer = await server.keep(number, wavFile(take.samples, take.rate), {
        insteadOf: this.session.takes[number],
        anyway,
      });
    } catch (error) {
      if (this.take !== take) return;
      take.refusal = error;
      this.to("unsent");
      showError(error);
      return;
    }
    this.onprogress({ takes: take.answer.takes, recordings: take.answer.recordings });
    if (this.take === take) this.to("judged");
  }

  async play() {
    if (player.isPlaying()) {
      player.stop();
    } else {
      await player.play(player.toBuffer(this.take.samples, this.take.rate), (share) => {
        this.waveform.play(share);
        if (share === null) this.refresh();
      });
    }
    this.refresh();
  }

  // Keys for the whole screen. A focused button or field keeps its own Space and Enter.
  key(event) {
    if (!isShown("record") || element("confirm").open) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (event.target.matches("input, select, textarea")) return;
    const isOnControl = event.target.matches("button, summary, a");
    const id = { " ": "go", p: "play", r: "again", n: "next", s: "skip" }[event.key.toLowerCase()];
    const button = id && element(id);
    if (!button || (event.key === " " && isOnControl)) return;
    event.preventDefault();
    if (button.offsetParent && !button.disabled) button.click();
  }
}
