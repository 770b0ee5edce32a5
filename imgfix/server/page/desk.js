// The work on one file: what is open, what is marked, and what was done to it.

import { Sheet } from "./sheets.js";
import { Timeline } from "./timeline.js";

const SMALL = 2048;

export class Desk {
  timeline = null;
  time = 0; // where a clip stands, in seconds
  sample = null; // a short result of a clip: { file, start }
  uploaded = Promise.resolve();
  #changed;

  constructor({ client, view, sheets, masks, changed }) {
    Object.assign(this, { client, view, sheets, masks });
    this.#changed = changed;
  }

  get now() {
    return this.timeline?.now;
  }

  get file() {
    return this.now?.file;
  }

  get moves() {
    return this.file !== undefined && this.file.kind !== "image";
  }

  /** Open a file of the user's. What the browser can decode is shown before it is sent. Throws Refusal. */
  async open(blob, name, progress) {
    this.#reset();
    const opening = this.opening = {}; // decoded first and sent then: both at once would take turns on the processor
    const bitmap = await decoded(blob);
    const small = bitmap && await reduced(bitmap);
    if (this.opening !== opening) return; // another file was opened meanwhile
    const sent = this.uploaded = this.client.upload(blob, name, progress);
    sent.catch(() => {});
    if (bitmap) this.#preview(bitmap, small, blob, name);
    const file = await sent;
    if (this.opening !== opening) return;
    if (this.timeline) this.timeline.states = this.timeline.states.map((state) => ({ ...state, file }));
    else this.#begin(file);
    if (bitmap && file.kind === "image" && bitmap.width === file.width && bitmap.height === file.height) {
      this.sheets.get(file, 0).seed(bitmap, small);
    }
    this.changed();
  }

  #preview(bitmap, small, blob, name) {
    const file = { id: null, name, kind: "image", width: bitmap.width, height: bitmap.height, media_type: blob.type, bytes: blob.size };
    this.#begin(file);
    this.local = new Sheet(this.client, file);
    this.local.seed(bitmap, small);
    this.changed();
  }

  /** Open what the server has. */
  openStored(file) {
    this.#reset();
    this.uploaded = Promise.resolve(file);
    this.#begin(file);
    this.changed();
  }

  #begin(file) {
    this.timeline = new Timeline();
    this.timeline.push({ file, marks: [], step: null });
  }

  #reset() {
    this.sheets.clear();
    Object.assign(this, { timeline: null, time: 0, sample: null, local: null });
  }

  close() {
    this.#reset();
    this.changed();
  }

  /** Take up what a reload interrupted. */
  restore({ timeline, time, sample }) {
    Object.assign(this, { timeline: Timeline.from(timeline), time, sample });
    this.changed();
  }

  get saved() {
    if (!this.timeline || this.file.id === null) return null;
    return { timeline: this.timeline.saved, time: this.time, sample: this.sample };
  }

  changed() {
    if (this.timeline) this.#show();
    this.#changed();
  }

  #show() {
    const { now, sample } = this;
    this.view.marks = sample ? [] : now.marks;
    if (now.file.id === null) return this.view.show(this.local, this.local);
    if (sample) {
      const within = Math.min(Math.max(this.time - sample.start, 0), Math.max((sample.file.duration ?? 3) - 0.04, 0));
      this.view.show(this.sheets.get(sample.file, within), this.sheets.get(now.file, this.time));
    } else {
      this.view.show(this.sheets.get(now.file, this.time), this.sheets.get(this.timeline.first.file, this.time));
    }
  }

  mark(mark) {
    this.timeline.push({ marks: [...this.now.marks, mark] });
    this.changed();
  }

  setMarks(marks) {
    this.timeline.push({ marks });
    this.changed();
  }

  undo() {
    this.timeline?.undo();
    this.sample = null;
    this.changed();
  }

  redo() {
    this.timeline?.redo();
    this.sample = null;
    this.changed();
  }

  jump(index) {
    this.timeline.jump(index);
    this.sample = null;
    this.changed();
  }

  seek(time) {
    this.time = time;
    this.changed();
  }
}

/** The pixels of a file that the browser can decode, else null. What moves is left to the server. */
async function decoded(blob) {
  if (!blob.type.startsWith("image/") || blob.type === "image/gif") return null;
  return createImageBitmap(blob).catch(() => null);
}

async function reduced(bitmap) {
  if (bitmap.width <= SMALL) return bitmap;
  return createImageBitmap(bitmap, { resizeWidth: SMALL, resizeHeight: Math.max(1, Math.round((bitmap.height * SMALL) / bitmap.width)), resizeQuality: "high" });
}
