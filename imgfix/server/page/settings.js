// Language, appearance, and the list of keys.

import { byId, el } from "./dom.js";
import { currentLanguage, LANGUAGES, setLanguage, t } from "./language.js";
import { preference } from "./session.js";
import { WORDS } from "./words.js";

const KEYS = [
  ["V B E M H", "keys.tools"], ["← ↑ → ↓", "keys.arrows"], ["Enter", "keys.enter"], ["Space", "keys.space"], ["[ ]", "keys.brush"],
  ["C, O", "keys.compare"], ["+ −, 0, 1", "keys.zoom"], ["Ctrl+Z, Ctrl+Shift+Z", "keys.undo"], ["Alt", "keys.not"],
];

export function useTheme() {
  document.documentElement.dataset.theme = preference("theme");
}

export class Settings {
  /** renewed: called after the language has changed. */
  constructor(renewed) {
    const dialog = byId("settings-dialog");
    byId("settings").addEventListener("click", () => dialog.showModal());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    byId("language").append(...LANGUAGES.map((code) => el("option", { value: code, text: WORDS[code].language, lang: code })));
    byId("language").value = currentLanguage();
    byId("language").addEventListener("change", () => { setLanguage(byId("language").value); renewed(); });
    byId("theme").value = preference("theme");
    byId("theme").addEventListener("change", () => { preference("theme", byId("theme").value); useTheme(); });
    byId("keys").append(...KEYS.flatMap(([keys, words]) => [el("dt", {}, el("kbd", { text: keys })), el("dd", { text: t(words) })]));
  }
}
