// The fields of a form. Each is { node, read }: `read` gives the value, undefined where it is the server's default.

import { el } from "./dom.js";

/** A choice from `choices`, a list of [value, words]; the first is the default. */
export function choice(words, choices, changed = () => {}) {
  const select = el("select", { on: { change: () => changed(select.value) } },
    ...choices.map(([value, text]) => el("option", { value, text })));
  return {
    node: el("label", { class: "field" }, el("span", { text: words }), select),
    read: () => select.value || undefined,
    select,
  };
}

/** Something that is on or off. */
export function tick(words, { checked = false, changed = () => {} } = {}) {
  const input = el("input", { type: "checkbox", checked, on: { change: () => changed(input.checked) } });
  return { node: el("label", { class: "tick" }, input, el("span", { text: words })), read: () => input.checked || undefined, input };
}

/** A number; `usual` is what holds where nothing is said. */
export function quantity(words, { usual = "", ...limits }) {
  const input = el("input", { type: "number", inputmode: "decimal", value: usual, ...limits });
  return {
    node: el("label", { class: "field" }, el("span", { text: words }), input),
    read: () => input.value === "" || input.value === String(usual) || !input.validity.valid ? undefined : Number(input.value),
    input,
  };
}

/** A share from 0 to 1 on a rail; 1 is the default. */
export function share(words, percent) {
  const output = el("output", { text: percent(1) });
  const input = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 1, on: { input: () => { output.textContent = percent(Number(input.value)); } } });
  return {
    node: el("label", { class: "field" }, el("span", { text: words }), el("span", { class: "row" }, input, output)),
    read: () => Number(input.value) === 1 ? undefined : Number(input.value),
  };
}

/** Free text. */
export function line(words, given = {}) {
  const input = el("input", { type: "text", autocomplete: "off", ...given });
  return { node: el("label", { class: "field" }, el("span", { text: words }), input), read: () => input.value.trim() || undefined, input };
}

/** One of a few, all in sight: `choices` as in `choice`. */
export function segments(words, choices, changed = () => {}) {
  const name = `s${Math.random().toString(36).slice(2)}`;
  const inputs = choices.map(([value], index) => el("input", { type: "radio", name, value, checked: index === 0, on: { change: () => changed(value) } }));
  const node = el("fieldset", { class: "field" }, el("legend", { text: words }),
    el("div", { class: "segments" }, ...choices.map(([, text], index) => el("label", {}, inputs[index], el("span", { text })))));
  const choose = (value) => { for (const input of inputs) input.checked = input.value === value; };
  return { node, read: () => inputs.find((input) => input.checked).value, choose };
}

/** Fields that most people leave alone. */
export function folded(words, ...nodes) {
  return el("details", {}, el("summary", { text: words }), ...nodes);
}
