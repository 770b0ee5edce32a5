// What a batch does with each file: steps that are chosen here, those of a recipe file, or what was done to the image
// that is open.

import { byId, el, button, save } from "./dom.js";
import { segments, tick } from "./fields.js";
import { t } from "./language.js";
import { formOf } from "./verbs.js";

const ORDER = ["restore", "inpaint", "upscale", "cutout"];
const BY_HAND = ["mask", "point", "not_point", "box", "box_object"]; // options that name a place in one image

/**
 * A recipe is { steps, ...whole } as `/v1/run` takes it: each step has its verb and options, `whole` says how results
 * are written. history: gives the steps that were done to what is open, with `shown` for what an option is called.
 */
export class RecipeForm {
  #forms;
  #file = null; // { name, recipe }

  constructor({ client, known, history }) {
    Object.assign(this, { client, history });
    const place = { models: known.models, offers: known.offers, marks: null };
    this.#forms = ORDER.map((verb) => this.#form(verb, formOf(verb, place)));
    this.source = segments(t("recipe.from"), [["here", t("recipe.here")], ["file", t("recipe.file")], ["history", t("history")]], () => this.draw());
    this.fault = el("p", { class: "fault-text", role: "alert", hidden: true });
    this.named = el("div", { class: "recipe-part" });
    const choose = button(t("recipe.choose"), "open", () => byId("recipe-picker").click(), { id: "recipe-choose" });
    this.parts = {
      here: el("div", {}, ...this.#forms.map((form) => form.node)),
      file: el("div", {}, this.named, choose),
      history: el("div", { class: "recipe-part" }),
    };
    this.keep = button(t("recipe.save"), "download", () => this.#save(), { class: "plain small", id: "recipe-save" });
    this.node = el("div", { class: "recipe" }, this.source.node, this.fault, ...Object.values(this.parts), this.keep);
    byId("recipe-picker").addEventListener("change", ({ target }) => {
      const [file] = target.files;
      target.value = "";
      if (file) this.open(file);
    });
    this.draw();
  }

  #form(verb, form) {
    const on = tick(t(`verb.${verb}`), { checked: verb === "restore", changed: (checked) => { form.node.hidden = !checked; } });
    on.input.id = `batch-${verb}`;
    form.node.hidden = verb !== "restore";
    return { verb, form, on, node: el("section", { class: "recipe-step" }, on.node, form.node) };
  }

  /** Take a recipe file; the server reads it, as it reads one for the command line. */
  async open(file) {
    this.source.choose("file");
    this.#file = null;
    this.draw();
    try {
      this.#file = { name: file.name, recipe: await this.client.recipe(await file.text()) };
    } catch (fault) {
      this.fault.textContent = fault.hint ? `${file.name}: ${fault.message} (${fault.hint})` : `${file.name}: ${fault.message}`;
    }
    this.draw();
  }

  /** What was done to the image that is open becomes the recipe. */
  fromHistory() {
    this.source.choose("history");
    this.draw();
  }

  draw() {
    const from = this.source.read();
    for (const [name, part] of Object.entries(this.parts)) part.hidden = name !== from;
    this.fault.hidden = from !== "file" || this.#file !== null || !this.fault.textContent;
    if (this.#file) this.fault.textContent = "";
    const words = this.#file ? el("p", {}, el("bdi", { class: "file-name", text: this.#file.name })) : el("p", { class: "quiet", text: t("recipe.text") });
    this.named.replaceChildren(words, ...(this.#file ? [list(this.#file.recipe)] : []));
    const steps = this.history();
    this.parts.history.replaceChildren(...(steps.length ? shownSteps(steps) : [el("p", { class: "quiet", text: t("recipe.nothing") })]));
  }

  /** The recipe, or null where nothing is chosen or something is missing. */
  read() {
    const from = this.source.read();
    if (from === "file") return this.#file?.recipe ?? null;
    if (from === "history") return asRecipe(this.history(), "options");
    const chosen = this.#forms.filter(({ on }) => on.read());
    if (chosen.some(({ form }) => form.complete && !form.complete())) return null;
    return asRecipe(chosen.map(({ verb, form }) => ({ verb, options: form.read() })), "options");
  }

  #save() {
    const recipe = this.source.read() === "history" ? asRecipe(this.history(), "shown") : this.read();
    if (recipe) save(new Blob([toml(recipe)], { type: "application/toml" }), "recipe.toml");
    else this.missing();
  }

  /** Say that there is nothing to do yet. */
  missing() {}
}

function asRecipe(steps, which) {
  return steps.length ? { steps: steps.map((step) => ({ verb: step.verb, ...step[which] })) } : null;
}

function shownSteps(steps) {
  const byHand = steps.some(({ options }) => BY_HAND.some((name) => name in options));
  return [list(asRecipe(steps, "shown")), byHand ? el("p", { class: "quiet small", text: t("recipe.places") }) : null].filter(Boolean);
}

/** The steps in words: the verb, and its options as a recipe file has them. */
function list({ steps, ...whole }) {
  const item = (title, options) => el("li", {}, el("span", { class: "step-title", text: title }),
    Object.keys(options).length ? el("code", { class: "command", text: lines(options).join("\n") }) : null);
  const written = Object.keys(whole).length ? [item(t("recipe.whole"), whole)] : [];
  return el("ol", { class: "recipe-list" }, ...steps.map(({ verb, ...options }) => item(t(`verb.${verb}`), options)), ...written);
}

/** A recipe file, as `imgfix run` reads it. */
function toml({ steps, ...whole }) {
  const blocks = steps.map((step) => ["[[step]]", ...lines(step)]);
  return `${[lines(whole), ...blocks].filter((block) => block.length).map((block) => block.join("\n")).join("\n\n")}\n`;
}

function lines(options) {
  return Object.entries(options).map(([name, value]) => `${name} = ${written(value)}`);
}

function written(value) {
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f"); // but for this letter a string of JSON is one of TOML
}
