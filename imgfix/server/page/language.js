// The language of the page: which one, and the words in it.

import { WORDS } from "./words.js";
import { preference } from "./session.js";

export const LANGUAGES = Object.keys(WORDS);

let language = [preference("language"), ...navigator.languages.map((code) => code.slice(0, 2))]
  .find((code) => LANGUAGES.includes(code)) ?? "en";

export const currentLanguage = () => language;

export function setLanguage(code) {
  language = code;
  preference("language", code);
}

/** The words for a key; `{name}` in them is replaced by what is given, numbers as the language writes them. */
export function t(key, given = {}) {
  const words = WORDS[language][key];
  if (words === undefined) throw new Error(`no words for ${key}`);
  const form = Array.isArray(words) ? words[given.n === 1 ? 0 : 1] : words; // one, several
  return form.replace(/\{(\w+)\}/g, (_, name) => typeof given[name] === "number" ? number(given[name]) : given[name]);
}

/** Whether there are words for a key. */
export const has = (key) => key in WORDS.en;

export function number(value, digits = 2) {
  return value.toLocaleString(language, { maximumFractionDigits: digits });
}

export function percent(share) {
  return share.toLocaleString(language, { style: "percent", maximumFractionDigits: 0 });
}

export function bytes(count) {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), 4);
  const unit = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"][power];
  return (count / 1000 ** power).toLocaleString(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: power ? 1 : 0 });
}

/** `0:07.25` of a clip. */
export function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}

/** Put the words into a part of the page: `data-t` is text, `data-t-label` and `data-t-title` are names of controls. */
export function translate(root) {
  document.documentElement.lang = language;
  for (const place of root.querySelectorAll("[data-t]")) place.textContent = t(place.dataset.t);
  for (const place of root.querySelectorAll("[data-t-label]")) place.setAttribute("aria-label", t(place.dataset.tLabel));
  for (const place of root.querySelectorAll("[data-t-title]")) {
    const words = t(place.dataset.tTitle);
    place.title = place.dataset.key ? `${words} (${place.dataset.key})` : words;
    place.setAttribute("aria-label", words);
  }
}
