// The panel beside the picture: a form for each verb, the progress of a job, what went wrong.

import { byId, el, button } from "./dom.js";
import { bytes, clock, has, number, percent, t } from "./language.js";
import { formOf, marksPanel, VERBS } from "./verbs.js";

export class Panel {
  #app;
  #forms = {};
  #runs = {};
  #tab = "inpaint";
  #marks;
  #things = [];

  constructor({ app, known }) {
    this.#app = app;
    const { desk, picking } = app;
    this.#marks = marksPanel(known, {
      clear: () => desk.setMarks([]),
      invert: () => desk.mark({ kind: "invert" }),
      box: (box) => desk.mark({ kind: "box", box }),
      ask: (question) => picking.ask(question),
      find: () => this.#find(),
    });
    const place = { models: known.models, offers: known.offers, marks: this.#marks.node };
    for (const verb of VERBS) this.#add(verb, formOf(verb, place));
    byId("sample-leave").addEventListener("click", () => { desk.sample = null; app.comparing.toggle(false); desk.changed(); });
    this.#show(this.#tab);
  }

  #add(verb, form) {
    this.#forms[verb] = form;
    const tab = el("button", { type: "button", role: "tab", id: `tab-${verb}`, "aria-controls": `panel-${verb}`, text: t(`verb.${verb}`),
      on: { click: () => this.#show(verb), keydown: (event) => this.#turn(event, verb) } });
    const run = button(t(`${verb}.go`), null, () => this.#run(verb), { class: "main", id: `run-${verb}` });
    const sample = verb === "cutout" ? null : button(t("clip.preview"), "play", () => this.#run(verb, { sample: true }), { class: "plain edged only-clip", id: `sample-${verb}` });
    this.#runs[verb] = [run, sample].filter(Boolean);
    byId("tabs").append(tab);
    byId("verb-panels").append(el("div", { role: "tabpanel", id: `panel-${verb}`, "aria-labelledby": `tab-${verb}`, tabindex: "0" },
      form.node, el("p", { class: "row go" }, ...this.#runs[verb])));
  }

  #show(verb) {
    this.#tab = verb;
    for (const other of VERBS) {
      byId(`tab-${other}`).setAttribute("aria-selected", String(other === verb));
      byId(`tab-${other}`).tabIndex = other === verb ? 0 : -1;
      byId(`panel-${other}`).hidden = other !== verb;
    }
  }

  #turn(event, verb) {
    const at = VERBS.indexOf(verb);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: VERBS.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const other = VERBS[(next + VERBS.length) % VERBS.length];
    this.#show(other);
    byId(`tab-${other}`).focus();
  }

  async #find() {
    const found = await this.#app.picking.find();
    if (!found) return;
    this.#things = found.filter((region) => region.name).map(({ name, number: which, score }) => ({
      question: { object: [`${name}:${which}`] }, words: `${name} ${which}, ${percent(score)}`,
    }));
    this.#listThings();
    if (!found.length) this.notes([t("inpaint.nothing")]);
  }

  #listThings() {
    const { desk, picking } = this.#app;
    const marks = desk.now?.marks ?? [];
    const at = ({ question }) => marks.findIndex((mark) => JSON.stringify(mark.asked) === JSON.stringify(question));
    this.#marks.list(this.#things.map((thing) => ({ ...thing, marked: at(thing) >= 0 })), (thing) => {
      const index = at(thing);
      if (index >= 0) desk.setMarks(marks.toSpliced(index, 1));
      else picking.ask(thing.question);
    });
  }

  #run(verb, how) {
    const form = this.#forms[verb];
    const options = form.read();
    if (form.wantsMarked?.()) {
      const asked = this.#app.desk.now.marks.filter((mark) => mark.kind === "mask" && mark.asked);
      if (!asked.length) return this.notes([t("cutout.select-first")]);
      for (const { asked: question } of asked) {
        for (const [name, value] of Object.entries(question)) options[name] = Array.isArray(value) ? [...(options[name] ?? []), ...value] : value;
      }
    }
    this.#app.run(verb, options, how);
  }

  /** The state of the work has changed. */
  changed() {
    const { desk, work } = this.#app;
    const { now, file } = desk;
    document.body.classList.toggle("clip", desk.moves);
    if (file?.id !== this.shown) {
      this.shown = file?.id;
      this.#things = [];
    }
    this.#listThings();
    this.#marks.update(now?.marks ?? []);
    for (const form of Object.values(this.#forms)) form.update?.(file);
    for (const verb of VERBS) {
      const missing = !now || work.busy || (verb === "inpaint" && !now.marks.length) || (verb === "cutout" && desk.moves);
      for (const run of this.#runs[verb]) run.disabled = missing;
      this.#runs[verb][0].querySelector("span").textContent = desk.moves && verb !== "cutout" ? t("clip.whole") : t(`${verb}.go`);
    }
    byId("sample").hidden = !desk.sample;
    if (desk.sample) byId("sample-text").textContent = t("clip.sample", { time: clock(desk.sample.start) });
    byId("file-name").textContent = file?.name ?? "";
    byId("file-size").textContent = file ? `${file.width} × ${file.height}, ${bytes(file.bytes ?? 0)}` : "";
    document.title = file ? `${file.name} - imgfix` : "imgfix";
  }

  /** A file is on its way: the share that is sent, or null for the name when it is there. */
  sending(name, share) {
    byId("run").hidden = name === null;
    byId("cancel").hidden = name !== null;
    if (name === null) return;
    byId("run-text").textContent = t("run.upload", { name });
    byId("run-bar").value = share;
  }

  started(job) {
    byId("run").hidden = false;
    byId("cancel").hidden = !job.id;
    byId("run-text").textContent = t("run.queued");
    byId("run-bar").removeAttribute("value");
    this.changed();
  }

  progress({ state, since }) {
    const { progress, status } = state;
    if (!progress?.total) {
      byId("run-text").textContent = t(status === "queued" ? "run.queued" : "run.running");
      return;
    }
    const { done, total, unit } = progress;
    const key = `unit.${unit}`;
    const share = done / total;
    const left = share > 0.05 ? ((Date.now() - since) / 1000) * (1 / share - 1) : null;
    const words = [t("run.count", { done, total, unit: has(key) ? t(key) : unit ?? "" })];
    if (left !== null && left >= 1) words.push(t("run.left", { seconds: number(left, 0) }));
    byId("run-text").textContent = words.join(", ");
    byId("run-bar").value = share;
  }

  ended() {
    byId("run").hidden = true;
  }

  notes(notes) {
    byId("notes").hidden = !notes.length;
    byId("notes").replaceChildren(...notes.map((text) => el("li", { text })));
  }

  /** Nothing is wrong, and there is nothing to say. */
  calm() {
    byId("fault").hidden = true;
    this.notes([]);
  }

  fault(fault) {
    if (fault?.name === "AbortError") return;
    const lost = fault instanceof TypeError;
    const place = byId("fault");
    place.hidden = false;
    place.replaceChildren(
      el("div", {}, el("strong", { text: t("fault.title") }),
        el("p", { text: lost ? t("fault.lost") : fault.message }),
        fault.hint ? el("p", { class: "quiet", text: fault.hint }) : null),
      button(t("fault.dismiss"), "close", () => { place.hidden = true; }, { class: "plain" }));
    if (lost) console.error(fault);
  }
}
