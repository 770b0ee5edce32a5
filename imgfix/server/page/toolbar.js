// The tools over the picture, the zoom, the time of a clip, and the keys.

import { byId } from "./dom.js";
import { clock, percent, t } from "./language.js";

const TOOLS = { v: "select", b: "brush", e: "erase", m: "box", h: "hand" };

export class Toolbar {
  #app;
  #urls = new Map();

  constructor(app) {
    this.#app = app;
    const { view, stage, comparing, desk } = app;
    const press = (id, call) => byId(id).addEventListener("click", call);
    press("zoom-in", () => view.zoom(view.scale * 1.5));
    press("zoom-out", () => view.zoom(view.scale / 1.5));
    press("zoom-full", () => view.zoomFull());
    press("zoom-fit", () => view.fit());
    press("play", () => this.#play());
    this.buttons = [...document.querySelectorAll("[data-tool]")];
    for (const place of this.buttons) {
      const words = t(`tool.${place.dataset.tool}`);
      place.title = `${words} (${place.dataset.key})`;
      place.setAttribute("aria-label", words);
      place.addEventListener("click", () => stage.use(place.dataset.tool));
    }
    arrows(byId("tools"), this.buttons);
    byId("brush-size").addEventListener("input", () => this.#brush(Number(byId("brush-size").value)));
    this.#brush(stage.brushSize);
    byId("time").addEventListener("input", () => desk.seek(Number(byId("time").value)));
    byId("surface").addEventListener("keydown", (event) => this.#key(event));
    byId("surface").addEventListener("keyup", (event) => { if (event.key === "o") comparing.hold(false); });
    document.addEventListener("keydown", (event) => this.#everywhere(event));
  }

  /** A tool was chosen. */
  tool(name) {
    for (const place of this.buttons) {
      const on = place.dataset.tool === name;
      place.setAttribute("aria-pressed", String(on));
      place.tabIndex = on ? 0 : -1;
    }
    byId("brush-option").hidden = !["brush", "erase"].includes(name);
    byId("tool-hint").textContent = t(`hint.${name}`);
    byId("surface").setAttribute("aria-label", t("surface", { tool: t(`tool.${name}`) }));
  }

  /** The view has moved. */
  moved() {
    const full = byId("zoom-full");
    full.title = t("zoom.full");
    byId("zoom-value").textContent = percent(this.#app.view.density);
    full.setAttribute("aria-label", `${byId("zoom-value").textContent}, ${full.title}`);
  }

  changed() {
    const { timeline, file, time, sample, moves } = this.#app.desk;
    byId("undo").disabled = !timeline?.canUndo || this.#app.work.busy;
    byId("redo").disabled = !timeline?.canRedo || this.#app.work.busy;
    byId("download").disabled = !file?.id;
    if (!moves) return this.#stop();
    const slider = byId("time");
    const start = sample?.start ?? 0;
    slider.min = start;
    slider.max = start + (sample ? sample.file.duration ?? 3 : file.duration ?? 0);
    slider.value = time;
    byId("time-value").textContent = `${clock(time)} / ${clock(file.duration ?? 0)}`;
    slider.setAttribute("aria-valuetext", clock(time));
  }

  #brush(size) {
    this.#app.stage.brushSize = size;
    byId("brush-size").value = size;
    byId("brush-value").textContent = String(size);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { view, stage, comparing } = this.#app;
    const key = event.key.toLowerCase();
    if (TOOLS[key]) stage.use(TOOLS[key]);
    else if (key === "[" || key === "]") this.#brush(Math.min(Math.max(Math.round(stage.brushSize * (key === "[" ? 0.8 : 1.25)), 2), 400));
    else if (key === "+" || key === "=") view.zoom(view.scale * 1.5);
    else if (key === "-") view.zoom(view.scale / 1.5);
    else if (key === "0") view.fit();
    else if (key === "1") view.zoomFull();
    else if (key === "c") comparing.toggle();
    else if (key === "o" && !event.repeat) comparing.hold(true);
    else return;
    event.preventDefault();
  }

  #everywhere(event) {
    if (!(event.ctrlKey || event.metaKey) || document.body.dataset.view !== "photo") return;
    if (event.target.matches("input:not([type=range]):not([type=checkbox]):not([type=radio])")) return; // a field undoes its own text
    const key = event.key.toLowerCase();
    const step = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : null;
    if (!step) return;
    event.preventDefault();
    this.#app.step(step);
  }

  async #play() { // the browser plays what it can; frames are looked at with the slider in any case
    const player = byId("player");
    if (!player.hidden) return this.#stop();
    const { desk, client, panel } = this.#app;
    const file = desk.sample?.file ?? desk.file;
    try {
      if (!this.#urls.has(file.id)) this.#urls.set(file.id, URL.createObjectURL(await client.file(file.id)));
      player.src = this.#urls.get(file.id);
      player.hidden = false;
      byId("play").setAttribute("aria-pressed", "true");
      player.currentTime = desk.sample ? 0 : desk.time;
      await player.play();
    } catch (fault) {
      this.#stop();
      panel.fault(fault.name === "NotSupportedError" ? Object.assign(new Error(t("clip.unplayable")), {}) : fault);
    }
  }

  #stop() {
    const player = byId("player");
    if (player.hidden) return;
    player.pause();
    player.hidden = true;
    byId("play").setAttribute("aria-pressed", "false");
  }
}

/** One place in the order of the tab key for a bar of buttons, arrow keys within. */
function arrows(bar, buttons) {
  bar.addEventListener("keydown", (event) => {
    const to = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!to) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    buttons[(at + to + buttons.length) % buttons.length].focus();
  });
}
