// Making elements. Text is always set as text: a file's name with HTML in it stays a name.

import { icon } from "./icons.js";

export const byId = (id) => document.getElementById(id);

/**
 * An element. `text` is its text, `on` its listeners, `icon` the name of an icon in front; what is true or false in a
 * field of the element (`disabled`, `checked`) is set as such, everything else as an attribute.
 */
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name === "text") made.textContent = value;
    else if (name === "on") for (const [event, call] of Object.entries(value)) made.addEventListener(event, call);
    else if (name === "icon") made.prepend(icon(value));
    else if (typeof value === "boolean" && name in made) made[name] = value;
    else if (name === "value") made.value = value;
    else made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A button with an icon and words. */
export function button(words, iconName, press, given = {}) {
  return el("button", { type: "button", class: "plain edged", ...given, on: { click: press } },
    iconName ? icon(iconName) : null, el("span", { text: words }));
}

/** Give a file to the user's downloads. */
export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Say something to screen readers without moving the focus. */
export function say(words) {
  byId("status").textContent = words;
}
