// The page from consent to thanks: which screen comes when, and what the speaker has done so far.
import { MicrophoneCheck } from "./check.js";
import { language, languages, preferred, remember, text, use } from "./language.js";
import { Recorder } from "./recorder.js";
import { Recordings } from "./recordings.js";
import { clearError, confirmed, element, isShown, show, showError, showMessage } from "./screens.js";
import { server } from "./server.js";

// What the server knows: { prompts, speaker, takes, recordings }.
let session = null;
let consent = null;

const check = new MicrophoneCheck((microphone) => recorder.start(session, microphone));
const recorder = new Recorder({ onprogress: update, onend: finish, onlost: lostMicrophone });
const recordings = new Recordings({
  onchange: update,
  onredo: (number) => redo(number),
  onerror: failed,
});

function update(progress) {
  session = { ...session, ...progress };
  recorder.session = session;
  recordings.show(session);
}

function failed(error) {
  showError(error);
  if (error.code === "consent" || error.code === "not_joined") begin().catch(showError);
}

async function begin() {
  update(await server.state());
  if (session.speaker?.agreed) {
    toMicrophone(text("hello_again", { name: session.speaker.name }));
  } else {
    await askConsent();
  }
}

async function askConsent() {
  consent = await server.consent(language);
  element("consent-title").textContent = consent.title;
  element("consent-question").textContent = consent.question;
  element("consent-points").replaceChildren(
    ...consent.points.map((point) => {
      const item = document.createElement("li");
      item.textContent = point;
      return item;
    }),
  );
  show("consent");
}

function askWho() {
  const form = element("answers");
  const known = session.speaker;
  form.elements.name.disabled = Boolean(known); // the name stands in the takes already
  if (known) form.elements.name.value = known.name;
  for (const [name, value] of Object.entries(known?.group ?? {})) {
    if (form.elements[name]) form.elements[name].value = value ?? "";
  }
  show("about");
  if (!known) form.elements.name.focus();
}

async function join() {
  const { name, ...answers } = Object.fromEntries(new FormData(element("answers")));
  const distance = answers.distance_m;
  const group = { ...answers, distance_m: distance ? Number(distance) : null };
  await server.join({ name, group, consent_version: consent.version });
  update(await server.state());
  toMicrophone("");
}

function toMicrophone(greeting) {
  element("hello").textContent = greeting;
  element("hello").hidden = !greeting;
  show("microphone");
  check.start();
}

function lostMicrophone() {
  toMicrophone("");
  showMessage(text("microphone_lost"));
}

function redo(number) {
  if (recorder.microphone) recorder.open(number);
  else toMicrophone("");
}

function finish() {
  const missing = session.takes.filter((take) => take === null).length;
  element("done-text").textContent = text("done", { total: session.takes.length - missing });
  show("done");
  element("another").focus();
}

// The next person at the same device; nothing of this one stays in the browser.
async function handOver() {
  await server.leave();
  recorder.close();
  element("answers").reset();
  await begin();
}

async function deleteAll() {
  if (!(await confirmed("delete_all_question"))) return;
  recorder.close();
  await server.erase();
  element("answers").reset();
  update(await server.state());
  show("deleted");
}

// Runs what a button starts; a refusal is shown, and the button works again afterwards.
function on(id, event, action) {
  element(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    clearError();
    const button = happened.submitter ?? happened.target;
    button.disabled = true;
    try {
      await action();
    } catch (error) {
      failed(error);
    } finally {
      button.disabled = false;
    }
  });
}

async function changeLanguage(code) {
  remember(code);
  await use(code);
  recorder.refresh();
  recordings.show(session);
  if (isShown("consent")) await askConsent();
}

function fillLanguages() {
  for (const [code, name] of languages()) element("language").append(new Option(name, code));
  element("language").value = language;
  element("language").addEventListener("change", (event) =>
    changeLanguage(event.target.value).catch(showError),
  );
}

on("agree", "click", askWho);
on("decline", "click", () => show("declined"));
on("answers", "submit", join);
on("another", "click", handOver);
on("delete-all", "click", deleteAll);
for (const button of document.querySelectorAll(".to-consent")) {
  button.addEventListener("click", () => begin().catch(showError));
}

await use(preferred());
fillLanguages();
begin().catch(showError);
