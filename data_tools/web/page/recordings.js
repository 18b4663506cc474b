// "My recordings": everything that the server keeps of this speaker, to hear, redo and delete.
import { text, translated } from "./language.js";
import * as player from "./player.js";
import { confirmed, element } from "./screens.js";
import { server } from "./server.js";

export class Recordings {
  constructor({ onchange, onredo, onerror }) {
    Object.assign(this, { onchange, onredo, onerror });
  }

  show(session) {
    const { recordings, takes, prompts } = session;
    element("recordings").hidden = !session.speaker;
    element("recordings-title").textContent = text("recordings", { count: recordings.length });
    element("recordings-none").hidden = recordings.length > 0;
    element("recordings-list").replaceChildren(
      ...recordings.map((recording) => {
        const number = takes.indexOf(recording.id);
        return this.row(recording, number, prompts[number]);
      }),
    );
  }

  row(recording, number, prompt) {
    const isQuiet = prompt?.kind === "room_tone";
    const row = document.createElement("li");
    row.dataset.take = recording.id;
    const what = document.createElement("span");
    what.className = "what";
    what.textContent = isQuiet ? text("kind_room_tone") : translated(recording.prompt);
    const length = document.createElement("span");
    length.className = "length";
    length.textContent = text("seconds", { seconds: recording.duration_s.toFixed(1) });
    const tools = document.createElement("span");
    tools.className = "tools";
    const describe = (key, action) => this.button(key, what.textContent, action);
    tools.append(describe("play", () => this.play(recording.id)));
    if (number >= 0) tools.append(describe("redo", () => this.onredo(number)));
    tools.append(describe("delete", () => this.remove(recording.id)));
    row.append(what, length, tools);
    return row;
  }

  button(key, about, action) {
    const button = document.createElement("button");
    button.className = key;
    button.textContent = text(key);
    button.setAttribute("aria-label", `${text(key)}: ${about}`);
    button.addEventListener("click", () => Promise.resolve(action()).catch(this.onerror));
    return button;
  }

  async play(id) {
    await player.play(await player.decode(await server.audio(id)));
  }

  async remove(id) {
    if (await confirmed("delete_one_question")) this.onchange(await server.remove(id));
  }
}
