"use strict";
// Asks for the state four times a second and draws it. The token, if any, stands in the address.
const query = window.location.search;
const at = (id) => document.getElementById(id);
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(name).trim();

function curve(context, values, y, paint) {
  const step = context.canvas.width / 300;
  context.beginPath();
  values.forEach((value, i) => {
    const x = context.canvas.width - (values.length - i) * step;
    if (i) context.lineTo(x, y(value)); else context.moveTo(x, y(value));
  });
  context.strokeStyle = paint;
  context.lineWidth = 3;
  context.stroke();
}

function draw(state) {
  const scores = at("scores").getContext("2d");
  const { width, height } = scores.canvas;
  scores.clearRect(0, 0, width, height);
  const y = (score) => height - 4 - score * (height - 8);
  const step = width / 300;
  scores.fillStyle = colour("--gate");
  state.history.gate.forEach((open, i) => {
    if (open) scores.fillRect(width - (state.history.gate.length - i) * step, 0, step + 0.5, height);
  });
  scores.setLineDash([12, 8]);
  for (const threshold of Object.values(state.thresholds)) {
    curve(scores, Array(300).fill(threshold), y, colour("--threshold"));
  }
  scores.setLineDash([]);
  for (const values of Object.values(state.history.scores)) curve(scores, values, y, colour("--score"));
  const levels = at("levels").getContext("2d");
  levels.clearRect(0, 0, levels.canvas.width, levels.canvas.height);
  curve(levels, state.history.level_dbfs, (l) => -l / 96 * levels.canvas.height, colour("--score"));
}

// Stability indices against the bundle's training; over 0.25 is another distribution.
function drift(indices) {
  const words = Object.entries(indices).map(([what, index]) =>
    `${what} ${index.toFixed(2)}${index >= 0.25 ? " (moved)" : ""}`);
  return words.join(", ") || "not known";
}

function tell(state) {
  at("phrases").textContent = Object.values(state.phrases).join(", ");
  const away = state.microphone !== "listening";
  at("microphone").textContent = away ? "The microphone is away." : "Listening.";
  at("microphone").className = away ? "away" : "";
  at("level").textContent = `${state.level_dbfs.toFixed(0)} dBFS`;
  at("gate").textContent = state.gate_open ? "open" : "closed";
  at("duty").textContent = `${state.gate_duty.toFixed(1)} % of the time`;
  at("drift").textContent = drift(state.drift);
  at("cpu").textContent = `${(100 * state.cpu).toFixed(2)} % of a core`;
  at("heard").textContent = `${(state.heard_s / 3600).toFixed(2)} hours`;
  at("lost").textContent = `${state.audio_lost} times`;
  at("detections").replaceChildren(...state.detections.map((detection) => {
    const row = document.createElement("tr");
    for (const text of [detection.at, detection.phrase, detection.score.toFixed(2)]) {
      row.appendChild(document.createElement("td")).textContent = text;
    }
    return row;
  }));
}

async function look() {
  try {
    const answer = await fetch("state" + query, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const state = await answer.json();
    tell(state);
    draw(state);
  } catch (error) {
    at("microphone").textContent = `No answer from the device (${error.message}).`;
    at("microphone").className = "away";
  }
  setTimeout(look, 250);
}
look();
