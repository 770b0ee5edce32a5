// The page: its parts are put together here, and what happens in one is told to the others.

import { Batch } from "./batch.js";
import { Client, Refusal } from "./client.js";
import { Comparing } from "./comparing.js";
import { Desk } from "./desk.js";
import { byId, save, say } from "./dom.js";
import { watchDrops } from "./drops.js";
import { copyCommands, showHistory, stepsOf } from "./history.js";
import { placeIcons } from "./icons.js";
import { translate, t } from "./language.js";
import { Masks } from "./marks.js";
import { Panel } from "./panel.js";
import { Picking } from "./picking.js";
import { remember, remembered } from "./session.js";
import { Settings, useTheme } from "./settings.js";
import { Sheets } from "./sheets.js";
import { Stage } from "./stage.js";
import { findToken, keepToken } from "./token.js";
import { Toolbar } from "./toolbar.js";
import { showVariants } from "./variants.js";
import { View } from "./view.js";
import { regionOf, Work } from "./work.js";

useTheme();
placeIcons(document);
translate(document);

class App {
  constructor(client, known) {
    this.client = client;
    this.known = known;
    this.masks = new Masks(client, () => this.view.redraw("marks"));
    this.sheets = new Sheets(client, () => { this.view.redraw("picture"); this.#painted(); });
    this.view = new View({ stage: byId("stage"), picture: byId("picture"), marks: byId("marks"), masks: this.masks, moved: () => this.toolbar?.moved() });
    this.desk = new Desk({ client, view: this.view, sheets: this.sheets, masks: this.masks, changed: () => this.#changed() });
    this.picking = new Picking({ desk: this.desk, client, view: this.view, failed: (fault) => this.panel.fault(fault), busy: (on) => byId("stage").classList.toggle("looking", on) });
    this.stage = new Stage({ view: this.view, surface: byId("surface"), brush: byId("brush"), acts: this.#hands });
    this.comparing = new Comparing(this.view);
    this.work = new Work({ client, told: { started: (job) => this.#jobStarted(job), progress: (job) => this.panel.progress(job), ended: (...said) => this.#jobEnded(...said) } });
    this.panel = new Panel({ app: this, known });
    this.toolbar = new Toolbar(this);
    this.batch = new Batch({ client, known, edit: (file) => this.#edit(file), leave: () => this.#leaveBatch(), changed: () => this.#keep(), history: () => stepsOf(this.desk.timeline) });
    this.settings = new Settings(() => location.reload());
    this.#buttons();
    watchDrops((files) => this.take(files));
    this.stage.use("select");
  }

  get #hands() {
    return {
      marks: () => this.desk.now.marks,
      mark: (mark) => this.desk.mark(mark),
      unmarked: () => this.desk.changed(),
      pick: (point, how) => this.picking.pick(point, how),
      hover: (point) => this.picking?.hover(point),
      tool: (name) => this.toolbar?.tool(name),
    };
  }

  #buttons() {
    const press = (id, call) => byId(id).addEventListener("click", call);
    const [picker, folders] = [byId("picker"), byId("folder-picker")];
    press("choose", () => picker.click());
    press("open", () => picker.click());
    press("choose-folder", () => folders.click());
    for (const input of [picker, folders]) {
      input.addEventListener("change", () => {
        this.take([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
        input.value = "";
      });
    }
    press("undo", () => this.step("undo"));
    press("redo", () => this.step("redo"));
    press("download", () => this.download());
    press("apply", () => { this.batch.form.fromHistory(); this.#see("batch"); byId("open").focus(); });
    press("copy", () => copyCommands(this.desk.timeline));
    press("cancel", () => this.work.cancel().catch((fault) => this.panel.fault(fault)));
  }

  /** Open files that were dropped, pasted or chosen: one is worked on, several are a batch. */
  async take(files) {
    const recipes = files.filter(({ file }) => /\.toml$/i.test(file.name));
    if (recipes.length) this.batch.form.open(recipes.at(-1).file);
    files = files.filter((file) => !recipes.includes(file));
    if (!files.length && !recipes.length) return;
    if (files.length !== 1 || recipes.length || document.body.dataset.view === "batch") {
      this.batch.add(files);
      return this.#see("batch");
    }
    const [{ file }] = files;
    const began = performance.now();
    this.openedAt = began;
    this.panel.calm();
    this.#see("photo");
    this.panel.sending(file.name, 0);
    try {
      await this.desk.open(file, file.name, (share) => this.panel.sending(file.name, share));
      say(t("opened", { name: file.name }));
      byId("surface").focus({ preventScroll: true, focusVisible: false });
      if (this.stage.tool === "select") this.picking.warm();
    } catch (fault) {
      this.desk.close();
      this.#see("start");
      this.panel.fault(fault);
    } finally {
      this.panel.sending(null);
    }
  }

  #painted() { // for the benchmark: how long it took until the picture was on the screen
    const start = this.openedAt;
    if (start === undefined) return;
    this.openedAt = undefined;
    requestAnimationFrame(() => setTimeout(() => performance.measure("first-paint", { start, end: performance.now() }))); // the frame is drawn
  }

  #edit(file) {
    this.#see("photo");
    this.desk.openStored(file);
  }

  #leaveBatch() {
    this.#see(this.desk.timeline ? "photo" : "start");
  }

  #see(view) {
    document.body.dataset.view = view;
    if (view === "batch") this.batch.form.draw(); // the history may have grown
    if (view === "photo") this.view.fit();
    this.#keep();
  }

  step(which) {
    const { timeline } = this.desk;
    if (this.work.busy || !timeline?.[which === "undo" ? "canUndo" : "canRedo"]) return;
    this.desk[which]();
    say(t(which === "undo" ? "undone" : "redone"));
  }

  async download() {
    const file = this.desk.sample?.file ?? this.desk.file;
    try {
      save(await this.client.file(file.id), file.name);
    } catch (fault) {
      this.panel.fault(fault);
    }
  }

  /** Run a verb on what is open. clip: `sample` for three seconds of it. */
  async run(verb, options, { sample = false } = {}) {
    this.panel.calm();
    try {
      await this.desk.uploaded;
      const { file, marks } = this.desk.now;
      const region = verb === "inpaint" ? await regionOf({ client: this.client, masks: this.masks, file, marks, moves: this.desk.moves }) : { options: {}, mask: null };
      const part = sample ? { start: this.desk.time, end: this.desk.time + 3 } : {};
      const body = { input: file.id, ...region.options, ...options, ...part };
      await this.work.run(verb, body, { kind: sample ? "sample" : "step", input: file.id, mask: region.mask && { id: region.mask.id, name: region.mask.name }, start: part.start });
    } catch (fault) {
      this.panel.fault(fault);
    }
  }

  /** Run the last step again in another way. */
  async another(idea) {
    const { step } = this.desk.now;
    const { model, ...rest } = { ...step.body, ...idea.options };
    await this.work.run(step.verb, model ? { ...rest, model } : rest, { kind: "variant", idea: { key: idea.key, words: idea.words }, input: step.body.input });
  }

  #jobStarted(job) {
    this.panel.started(job);
    this.#keep();
  }

  #jobEnded(job, state, fault) {
    this.panel.ended(job);
    const seconds = Math.max(0.1, Math.round((Date.now() - job.since) / 100) / 10);
    if (fault) this.panel.fault(fault);
    else if (state.status === "failed") this.panel.fault(new Refusal(0, state.error));
    else if (state.status === "cancelled") say(t("run.cancelled"));
    else {
      this.#take(job, state);
      this.panel.notes(state.result?.notes ?? []);
      say(t("run.done", { what: t(`did.${job.verb}`), seconds }));
    }
    this.#changed();
  }

  #take({ verb, body, purpose }, { output, command, result }) {
    const { desk } = this;
    const model = result?.model ?? body.model ?? "";
    if (purpose.kind === "sample") {
      desk.sample = { file: output, start: purpose.start };
      this.comparing.toggle(true);
    } else if (purpose.kind === "variant") {
      const { step } = desk.now;
      const made = [...step.made, { ...purpose.idea, model, file: output, command, body }];
      desk.timeline.swap({ file: output, marks: [], step: { ...step, command, made } });
    } else {
      const made = [{ key: "first", words: model || t("variant.first"), model, file: output, command, body }];
      desk.timeline.push({ file: output, marks: [], step: { verb, title: titleOf(verb, body), command, body, mask: purpose.mask, made } });
    }
    desk.changed();
  }

  #changed() {
    if (!this.panel) return; // still being put together
    this.toolbar.changed();
    this.panel.changed();
    showHistory(this.desk, this.client);
    showVariants(this.desk, this.client, { models: this.known.models, another: (idea) => this.another(idea), busy: this.work.busy });
    if (this.desk.local && this.desk.file?.id === null) this.#painted();
    this.#keep();
  }

  #keep() {
    if (!this.batch) return;
    const { current } = this.work;
    remember({ view: document.body.dataset.view, desk: this.desk.saved, job: current?.id ? { ...current, state: undefined } : null, batch: this.batch.saved });
  }

  /** Take up what was there before a reload. */
  async restore() {
    const { view, desk, job, batch } = remembered();
    if (batch) this.batch.restore(batch);
    if (desk) {
      const { states, at } = desk.timeline;
      if (!await this.client.has(states[at].file.id)) {
        this.panel.fault(new Refusal(404, { message: t("fault.gone") }));
        return;
      }
      this.#see("photo");
      this.desk.restore(desk);
      if (job) this.work.resume(job);
    }
    if (view === "batch" && batch) this.#see("batch");
  }
}

function titleOf(verb, body) {
  return verb === "upscale" ? `${t("did.upscale")} ${body.scale}×` : t(`did.${verb}`);
}

/** What the server has: models by task, and which options each verb takes. */
async function learn(client) {
  const { models } = await client.models();
  const verbs = {};
  await Promise.all(["inpaint", "restore", "upscale", "cutout", "select"].map(async (verb) => {
    verbs[verb] = new Set((await client.options(verb)).fields.map((field) => field.name));
  }));
  return {
    models: (task) => models.filter((model) => model.task === task && model.installed).map((model) => model.name),
    offers: (verb, field) => verbs[verb].has(field),
  };
}

async function begin() {
  const token = await findToken();
  const client = new Client(token);
  let known;
  try {
    known = await learn(client);
  } catch (fault) {
    return askForToken(token, fault);
  }
  const app = new App(client, known);
  await app.restore();
  document.body.dataset.ready = "true";
}

function askForToken(token, fault) {
  const refused = fault instanceof Refusal && fault.status === 401;
  byId("token-form").hidden = !refused;
  byId("token-why").textContent = t(token ? "token.wrong" : "token.text");
  if (!refused) {
    byId("fault").hidden = false;
    byId("fault").textContent = fault instanceof Refusal ? fault.message : t("fault.lost");
  }
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(byId("token").value.trim());
    location.reload();
  });
}

begin();
