// Many files, one recipe: each file goes through the same steps in one pass, and the results come as a zip.

import { byId, el, button, save, say } from "./dom.js";
import { bytes, percent, t } from "./language.js";
import { RecipeForm } from "./recipe.js";
import { distinct, groups, zip } from "./zip.js";

const ENDED = ["done", "failed", "lost"];

/** An item: { path, bytes, state, share, words, file, job, output }. */
export class Batch {
  items = [];
  #blobs = new Map();
  #stop = null;

  constructor({ client, known, edit, leave, changed, history }) {
    Object.assign(this, { client, edit, changed });
    this.form = new RecipeForm({ client, known, history });
    this.form.missing = () => this.#missing();
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
      el("div", { class: "batch-recipe" }, el("h2", { text: t("batch.recipe") }), this.form.node,
        el("p", { class: "row go" }, this.go, this.pack)));
  }

  add(files) {
    for (const { file, path } of files) {
      const item = { key: crypto.randomUUID(), path, bytes: file.size, state: "waiting" };
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
    if (recipe?.steps && this.items.some((item) => !ENDED.includes(item.state))) this.#run();
  }

  async #toggle() {
    if (this.#stop) {
      const { job } = this.items.find((item) => item.job) ?? {};
      this.#stop.abort();
      if (job) await this.client.cancel(job).catch(() => {});
      return;
    }
    const recipe = this.form.read();
    if (!recipe) return this.#missing();
    this.recipe = recipe;
    this.items = this.items.map((item) => item.state === "lost" ? item : { ...item, state: "waiting", job: undefined, output: undefined, words: undefined });
    await this.#run();
  }

  #missing() {
    this.sum.textContent = t("batch.none");
    say(t("batch.none"));
  }

  async #run() {
    const stop = this.#stop = new AbortController();
    this.#draw();
    const next = () => this.items.find((item) => !ENDED.includes(item.state)); // what is added meanwhile, too
    for (let item = next(); item && !stop.signal.aborted; item = next()) await this.#one(item.key, stop.signal);
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
      const { output, result } = await this.#apply(key, signal);
      this.#set(key, { state: "done", output, words: (result?.notes ?? []).join(" ") || undefined, job: undefined });
    } catch (fault) {
      if (signal.aborted) this.#set(key, { state: "waiting", job: undefined });
      else this.#set(key, { state: "failed", words: fault.hint ? `${fault.message} (${fault.hint})` : fault.message, job: undefined });
    }
  }

  /** One pass over a file. Returns the server's last word about it. */
  async #apply(key, signal) {
    this.#set(key, { state: "working", share: undefined });
    const { file, job: begun } = this.#item(key);
    if (!begun) {
      const [verb, body] = request(this.recipe);
      this.#set(key, { job: (await this.client.start(verb, { input: file.id, ...body })).id });
    }
    const job = await this.client.follow(this.#item(key).job, ({ progress }) => {
      if (progress?.total) this.#set(key, { share: progress.done / progress.total });
    }, signal);
    if (job.status !== "done") throw Object.assign(new Error(job.error?.message ?? t("run.cancelled")), { hint: job.error?.hint });
    return job;
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
    this.form.node.toggleAttribute("inert", this.#stop !== null);
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
    return el("tr", { class: state }, el("th", { scope: "row" }, el("bdi", { text: path })), el("td", { text: bytes(size) }), el("td", { text: said }, state === "done" && words ? el("p", { class: "quiet small", text: words }) : null), el("td", {}, get));
  }
}

/** Verb and options of one pass: a recipe of one step is that verb, so that the result says what made it. */
function request({ steps, ...whole }) {
  if (steps.length > 1 || Object.keys(whole).length) return ["run", { steps, ...whole }];
  const [{ verb, ...options }] = steps;
  return [verb, options];
}
