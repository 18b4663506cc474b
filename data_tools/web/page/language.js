// The page's texts in the reader's language. Keys are those of strings/en.json.
const LANGUAGES = { en: "English", ko: "한국어" };
const REMEMBERED = "language";

let strings = {};

export let language = "en";

export function languages() {
  return Object.entries(LANGUAGES);
}

// The language chosen before, else the first of the browser's that we have, else English.
export function preferred() {
  const wanted = [localStorage.getItem(REMEMBERED), ...navigator.languages];
  const codes = wanted.map((code) => code?.toLowerCase().split("-")[0]);
  return codes.find((code) => code in LANGUAGES) ?? "en";
}

export async function use(code) {
  const response = await fetch(`strings/${code}.json`);
  strings = await response.json();
  language = code;
  document.documentElement.lang = code;
  document.title = strings.title;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = text(element.dataset.placeholder);
  }
}

export function remember(code) {
  localStorage.setItem(REMEMBERED, code);
}

export function text(key, values = {}) {
  const pattern = key.split(".").reduce((table, part) => table?.[part], strings);
  return (pattern ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// What the server says in English (prompts, manners), translated if we can.
export function translated(english) {
  return strings.prompts?.[english] ?? english;
}

export function problemText(problem) {
  return strings.problems?.[problem.code] ?? `${problem.what}; ${problem.cure}`;
}

export function errorText(error) {
  return strings.errors?.[error.code] ?? text("errors.other", { message: error.message });
}
