// Marking things by what they are: the server finds them, the page shows what it found.

import { t } from "./language.js";
import { say } from "./dom.js";

const MISSING = 503; // the model for it is not there

export class Picking {
  #desk;
  #client;
  #view;
  #failed;
  #looking = null;
  #frames = new Map();
  hovers = true;

  constructor({ desk, client, view, failed, busy }) {
    this.#desk = desk;
    this.#client = client;
    this.#view = view;
    this.#failed = failed;
    this.busy = busy;
  }

  /** The picture that things are looked for in: of a clip the frame that is shown. */
  async #input() {
    const desk = this.#desk;
    await desk.uploaded;
    if (!desk.moves) return desk.file.id;
    const key = `${desk.file.id}@${desk.time}`;
    if (!this.#frames.has(key)) {
      const blob = await this.#client.preview(desk.file.id, { width: desk.file.width, time: desk.time });
      this.#frames.set(key, (await this.#client.upload(blob, "frame.png")).id);
    }
    return this.#frames.get(key);
  }

  /** Look for something and mark it. replaced: how many of the last marks it stands for. */
  async ask(question, replaced = 0) {
    const { now } = this.#desk;
    await this.#work(async () => {
      const input = await this.#input();
      const found = await this.#client.select({ input, dilate: "auto", ...question });
      await this.#desk.masks.load(found.mask);
      const mark = { kind: "mask", id: found.mask, asked: this.#desk.moves ? null : question };
      if (this.#desk.now.file.id !== now.file.id) return;
      this.#desk.setMarks([...now.marks.slice(0, now.marks.length - replaced), mark]);
      say(t("found", { what: wordsFor(found.regions) }));
    });
  }

  /** A click on the picture: marks what is there, or takes a mark away that is there already. */
  async pick({ x, y }, { not }) {
    const { marks, file } = this.#desk.now;
    const last = marks.at(-1);
    if (not) {
      if (!last?.asked?.point) return;
      return this.ask({ ...last.asked, not_point: [...(last.asked.not_point ?? []), [x, y]] }, 1);
    }
    const hit = marks.findLastIndex((mark) => mark.kind === "mask" && this.#desk.masks.covers(mark.id, x / file.width, y / file.height));
    if (hit >= 0) return this.#desk.setMarks(marks.toSpliced(hit, 1));
    await this.ask({ point: [[x, y]] });
  }

  /** Show what a click would mark. One question at a time: the last place counts. */
  async hover(point) {
    this.#looking?.abort();
    this.#looking = null;
    if (this.#view.hovered) {
      this.#view.hovered = null;
      this.#view.redraw("marks");
    }
    if (!point || !this.hovers || !this.#desk.file || this.#desk.file.id === null || this.#desk.sample) return;
    const looking = this.#looking = new AbortController();
    try {
      const input = await this.#input();
      const found = await this.#client.select({ input, point: [[point.x, point.y]], hover: true }, looking.signal);
      const shown = await this.#desk.masks.load(found.mask, looking.signal);
      if (looking.signal.aborted) return;
      this.#view.hovered = shown;
      this.#view.redraw("marks");
    } catch (fault) {
      if (fault.status === MISSING) this.hovers = false; // a click says why
    }
  }

  /** Have the server look at the picture once, so that what is under the pointer is found at once from the first time on. */
  async warm() {
    const { file, moves } = this.#desk;
    if (moves || !this.hovers) return;
    const middle = [Math.floor(file.width / 2), Math.floor(file.height / 2)];
    await this.#client.select({ input: file.id, point: [middle], hover: true }).catch((fault) => {
      if (fault.status === MISSING) this.hovers = false;
    });
  }

  /** The things in the picture that have names. */
  async find() {
    let things = null;
    await this.#work(async () => {
      const { regions } = await this.#client.select({ input: await this.#input(), list: true });
      things = regions;
    });
    return things;
  }

  async #work(task) {
    this.busy(true);
    say(t("looking"));
    try {
      await task();
    } catch (fault) {
      this.#failed(fault);
    } finally {
      this.busy(false);
    }
  }
}

function wordsFor(regions = []) {
  return regions.map((region) => region.name).filter(Boolean).join(", ") || t("inpaint.marks", { n: 1 });
}
