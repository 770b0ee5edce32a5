// Other results of the same step, to choose from.

import { byId, el, button, say } from "./dom.js";
import { t } from "./language.js";

const AUTOMATIC = 0.008; // of the longer side: by this much the server widens what it has found itself

/** What could be tried beside what was asked: another model, a wider region, a softer edge. */
export function ideas({ body, made }, file, models) {
  const side = Math.max(file.width, file.height);
  const wider = Math.max(4, Math.round(side / 100));
  const base = { model: body.model ?? "" };
  const reach = body.dilate ?? (body.mask ? 0 : Math.round(side * AUTOMATIC));
  const all = [
    { key: "wider", words: t("variant.wider", { px: wider }), options: { ...base, dilate: reach + wider } },
    ...models.filter((name) => name !== made[0].model).map((name) => ({ key: name, words: name, options: { model: name } })),
    { key: "softer", words: t("variant.softer"), options: { ...base, feather: (body.feather ?? 0) + wider } },
  ];
  const tried = new Set(made.map((variant) => variant.key));
  return all.filter((idea) => !tried.has(idea.key));
}

/** Show the variants of the step that made what is shown. */
export function showVariants(desk, client, { models, another, busy }) {
  const section = byId("variants");
  const step = desk.now?.step;
  section.hidden = step?.verb !== "inpaint" || desk.moves || desk.sample !== null;
  if (section.hidden) return;
  const left = ideas(step, desk.file, models("inpaint"));
  const items = step.made.map((variant) => {
    const picture = el("img", { alt: "" });
    thumbnail(client, variant.file).then((url) => { picture.src = url; }, () => {});
    const here = variant.file.id === desk.file.id;
    return el("li", {}, el("button", { type: "button", "aria-pressed": String(here), on: { click: () => choose(desk, variant) } },
      picture, el("span", { text: variant.words })));
  });
  const more = button(t("variants.more"), "more", () => another(left[0]), { disabled: busy || !left.length });
  byId("variant-list").replaceChildren(...items, el("li", {}, left.length ? more : el("p", { class: "quiet small", text: t("variants.all") })));
}

function choose(desk, variant) {
  desk.timeline.swap({ file: variant.file, step: { ...desk.now.step, command: variant.command } });
  desk.changed();
  say(variant.words);
}

const urls = new Map();

async function thumbnail(client, file) {
  if (!urls.has(file.id)) urls.set(file.id, client.preview(file.id, { width: 160 }).then((blob) => URL.createObjectURL(blob)));
  return urls.get(file.id);
}
