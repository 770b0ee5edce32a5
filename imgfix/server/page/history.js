// The history: each step, and the command that does the same in a shell.

import { byId, el, button, save, say } from "./dom.js";
import { t } from "./language.js";

export function showHistory(desk, client) {
  const { timeline } = desk;
  const files = timeline ? timeline.files : [];
  byId("steps").replaceChildren(...files.map((entry) => line(entry, desk, client)));
  byId("steps-empty").hidden = files.length > 1;
  byId("copy").hidden = byId("apply").hidden = files.length < 2;
}

/** What was done up to the file that is shown, as steps of a recipe: `shown` calls a mask by its name. */
export function stepsOf(timeline) {
  if (!timeline) return [];
  const here = timeline.files.findIndex(({ state }) => state.file.id === timeline.now.file.id);
  return timeline.files.slice(1, here + 1).map(({ state: { file, step } }) => {
    const { input, ...options } = step.made.find((variant) => variant.file.id === file.id)?.body ?? step.body;
    return { verb: step.verb, options, shown: options.mask && step.mask ? { ...options, mask: step.mask.name } : options };
  });
}

function line({ state, index }, desk, client) {
  const { timeline } = desk;
  const here = timeline.now.file.id === state.file.id;
  const { step } = state;
  const jump = el("button", { type: "button", class: "step", "aria-current": here ? "step" : undefined, on: { click: () => desk.jump(index) } },
    el("span", { class: "step-title", text: step ? step.title : t("did.open") }),
    el("span", { class: "quiet small", text: `${state.file.width} × ${state.file.height}` }));
  const mask = step?.mask ? button(t("history.mask"), "download", async () => save(await client.file(step.mask.id), step.mask.name), { class: "plain small" }) : null;
  return el("li", { class: index > timeline.at && !here ? "later" : "" }, jump,
    step ? el("code", { class: "command", tabindex: "0", text: step.command }) : null, mask);
}

/** The commands up to the file that is shown, one a line. */
export function commands(timeline) {
  const here = timeline.files.findIndex(({ state }) => state.file.id === timeline.now.file.id);
  return timeline.files.slice(1, here + 1).map(({ state }) => state.step.command);
}

export async function copyCommands(timeline) {
  await navigator.clipboard.writeText(`${commands(timeline).join("\n")}\n`);
  say(t("history.copied"));
}
