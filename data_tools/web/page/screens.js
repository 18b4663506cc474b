// One screen at a time, its heading focused, so that a screen reader reads it and Tab goes on there.
import { errorText, text } from "./language.js";

const SCREENS = ["loading", "consent", "declined", "about", "microphone", "record", "done", "deleted"];

export const element = (id) => document.getElementById(id);

export function show(screen) {
  for (const id of SCREENS) element(id).hidden = id !== screen;
  clearError();
  element(screen).querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

export function isShown(screen) {
  return !element(screen).hidden;
}

export function showError(error) {
  showMessage(errorText(error));
}

export function showMessage(words) {
  element("error").textContent = words;
  element("error").hidden = false;
}

export function clearError() {
  element("error").hidden = true;
}

// Asks yes or no; resolves to true for yes. Escape is no.
export function confirmed(key) {
  element("confirm-question").textContent = text(key);
  const dialog = element("confirm");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
