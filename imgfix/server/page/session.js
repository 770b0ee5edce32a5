// What this tab remembers over a reload: identifiers and outlines, never pixels.

const KEY = "imgfix.work";

export function remember(work) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(work));
  } catch { /* full: the work goes on, only a reload forgets it */ }
}

export function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/** A choice that holds for this browser: language, theme. */
export function preference(name, value) {
  if (value !== undefined) localStorage.setItem(`imgfix.${name}`, value);
  return localStorage.getItem(`imgfix.${name}`) ?? "";
}
