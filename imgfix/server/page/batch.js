// Many files, one recipe: each file goes through the same steps, and the results come as a zip.

import { byId, el, button, save, say } from "./dom.js";
import { tick } from "./fields.js";
import { bytes, percent, t } from "./language.js";
import { formOf } from "./verbs.js";
import { distinct, groups, zip } from "./zip.js";

const ORDER = ["restore", "inpaint", "upscale", "cutout"];
const ENDED = ["done", "failed", "lost"];

/** An item: { path, bytes, state, share, words, file, job, at, output }, `at` the step of the recipe it is at. */
export class Batch {
  items = [];
  #blobs = new Map();
  #steps = [];
  #stop = null;

  constructor({ client, known, edit, leave, changed }) {
    Object.assign(this, { client, edit, changed });
    const place = { models: known.models, offers: known.offers, marks: null };
    this.#steps = ORDER.map((verb) => this.#step(verb, formOf(verb, place)));
    this.rows = el("tbody");
    this.sum = el("p", { class: "quiet", id: "batch-sum" });
    this.title = el("h2");
    this.bar = el("progress", { max: 1, value: 0, "aria-label": t("run") });
    this.go = button(t("batch.go"), null, () => this.#toggle(), { class: "main", id: "batch-go" });
    this.pack = button(t("batch.zip"), "download", () => this.#pack(), { id: "batch-zip" });
    const head = el("tr", {}, ...["name", "size", "state"].map((name) => el("th", { scope: "col", text: t(`batch.${name}`) })), el("td"));
    byId("batch").replaceChildren(
      el("div", { class: "batch-files" },
        el("div", { class: "row spread" }, this.title, button(t("batch.close"), "close", leave, { class: "plain" })),
        this.bar, this.sum,
        el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("batch.list") }, el("table", {}, el("thead", {}, head), this.rows))),
      el("div", { class: "batch-recipe" }, el("h2", { text: t("batch.recipe") }), ...this.#steps.map((step) => step.node),
        el("p", { class: "row go" }, this.go, this.pack)));
  }

  #step(verb, form) {
    const on = tick(t(`verb.${verb}`), { checked: verb === "restore", changed: (checked) => { form.node.hidden = !checked; } });
    on.input.id = `batch-${verb}`;
    form.node.hidden = verb !== "restore";
    return { verb, form, on, node: el("section", { class: "recipe-step" }, on.node, form.node) };
  }

  add(files) {
    for (const { file, path } of files) {
      const item = { key: crypto.randomUUID(), path, bytes: file.size, state: "waiting", at: 0 };
      const lost = this.items.findIndex((other) => other.state === "lost" && other.path === path && other.bytes === file.size);
      if (lost >= 0) this.items[lost] = { ...item, key: this.items[lost].key };
      else this.items.push(item);
      this.#blobs.set((lost >= 0 ? this.items[lost] : item).key, file);
    }
    this.#draw();
  }

  get saved() {
    return this.items.length ? { items: this.items, recipe: this.recipe ?? null } : null;
  }

  /** After a reload: what the server has goes on, what was not sent yet has to be opened again. */
  restore({ items, recipe }) {
    this.recipe = recipe;
    this.items = items.map((item) => ENDED.includes(item.state) || item.file ? item : { ...item, state: "lost" });
    this.#draw();
    if (recipe && this.items.some((item) => !ENDED.includes(item.state))) this.#run();
  }

  async #toggle() {
    if (this.#stop) {
      const { job } = this.items.find((item) => item.job) ?? {};
      this.#stop.abort();
      if (job) await this.client.cancel(job).catch(() => {});
      return;
    }
    const chosen = this.#steps.filter(({ on }) => on.read());
    if (!chosen.length || chosen.some(({ form }) => form.complete && !form.complete())) {
      this.sum.textContent = t("batch.none");
      say(t("batch.none"));
      return;
    }
    this.recipe = chosen.map(({ verb, form }) => ({ verb, options: form.read() }));
    this.items = this.items.map((item) => item.state === "lost" ? item : { ...item, state: "waiting", at: 0, job: undefined, output: undefined, words: undefined });
    await this.#run();
  }

  async #run() {
    const stop = this.#stop = new AbortController();
    this.#draw();
    for (const { key } of this.items) {
      if (stop.signal.aborted) break;
      if (!ENDED.includes(this.#item(key).state)) await this.#one(key, stop.signal);
    }
    this.#stop = null;
    this.#draw();
    say(this.sum.textContent);
  }

  #item(key) {
    return this.items.find((item) => item.key === key);
  }

  #set(key, change) {
    this.items = this.items.map((item) => item.key === key ? { ...item, ...change } : item);
    this.#draw();
  }

  async #one(key, signal) {
    try {
      if (!this.#item(key).file) {
        this.#set(key, { state: "sending", share: 0 });
        const blob = this.#blobs.get(key);
        this.#set(key, { file: await this.client.upload(blob, blob.name, (share) => this.#set(key, { share }), signal) });
      }
      let { output } = this.#item(key);
      for (let { at } = this.#item(key); at < this.recipe.length; at++) {
        output = await this.#apply(key, this.recipe[at], output ?? this.#item(key).file, signal);
        this.#set(key, { at: at + 1, output, job: undefined });
      }
      this.#set(key, { state: "done" });
    } catch (fault) {
      if (signal.aborted) this.#set(key, { state: "waiting", job: undefined });
      else this.#set(key, { state: "failed", words: fault.hint ? `${fault.message} (${fault.hint})` : fault.message, job: undefined });
    }
  }

  async #apply(key, { verb, options }, input, signal) {
    this.#set(key, { state: "working", share: undefined });
    if (!this.#item(key).job) this.#set(key, { job: (await this.client.start(verb, { input: input.id, ...options })).id });
    const job = await this.client.follow(this.#item(key).job, ({ progress }) => {
      if (progress?.total) this.#set(key, { share: progress.done / progress.total });
    }, signal);
    if (job.status !== "done") throw Object.assign(new Error(job.error?.message ?? t("run.cancelled")), { hint: job.error?.hint });
    return job.output;
  }

  get #done() {
    return this.items.filter((item) => item.state === "done");
  }

  async #pack() {
    this.pack.disabled = true;
    try {
      const paths = distinct(this.#done.map(({ path, output }) => path.replace(/[^/]*$/, "") + output.name));
      const files = this.#done.map(({ output }, index) => ({ path: paths[index], id: output.id, bytes: output.bytes }));
      const parts = groups(files);
      for (const [index, part] of parts.entries()) {
        this.sum.textContent = `${t("batch.zipping")} ${percent(index / parts.length)}`;
        const filled = [];
        for (const file of part) filled.push({ path: file.path, blob: await this.client.file(file.id) });
        save(await zip(filled), parts.length > 1 ? `imgfix-${index + 1}.zip` : "imgfix.zip");
      }
    } catch (fault) {
      say(fault.message);
    }
    this.#draw();
  }

  #draw() {
    const failed = this.items.filter((item) => ["failed", "lost"].includes(item.state)).length;
    const done = this.#done.length;
    this.title.textContent = t("batch.title", { n: this.items.length });
    this.sum.textContent = t("batch.sum", { done, n: this.items.length, failed });
    this.bar.value = this.items.length ? (done + failed) / this.items.length : 0;
    this.go.querySelector("span").textContent = t(this.#stop ? "batch.stop" : "batch.go");
    this.go.disabled = !this.items.length;
    this.pack.disabled = !done || this.#stop !== null;
    for (const { node } of this.#steps) node.toggleAttribute("inert", this.#stop !== null);
    this.#rows();
    this.changed();
  }

  #rows() { // a row is made once and then changed, so that a long list stays quick
    this.drawn ??= new Map();
    for (const item of this.items) {
      if (this.drawn.get(item.key)?.item === item) continue;
      const row = this.#row(item);
      const old = this.drawn.get(item.key)?.row;
      if (old) old.replaceWith(row);
      else this.rows.append(row);
      this.drawn.set(item.key, { item, row });
    }
  }

  #row({ path, bytes: size, state, share, words, output }) {
    const said = state === "failed" && words ? words : t(`batch.${state}`) + (share !== undefined && !ENDED.includes(state) ? ` ${percent(share)}` : "");
    const get = state === "done" ? el("span", { class: "row" },
      button(t("download"), "download", async () => save(await this.client.file(output.id), output.name), { class: "plain small", "aria-label": t("batch.get", { name: output.name }) }),
      button(t("panel"), "brush", () => this.edit(output), { class: "plain small", "aria-label": t("batch.look", { name: output.name }) })) : null;
    return el("tr", { class: state }, el("th", { scope: "row" }, el("bdi", { text: path })), el("td", { text: bytes(size) }), el("td", { text: said }), el("td", {}, get));
  }
}
