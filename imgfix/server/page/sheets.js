// Pictures as the screen needs them: a small one for the whole view, and every pixel once it is zoomed in.

const DECODED_HERE = new Set(["image/jpeg", "image/png", "image/webp", "image/avif", "image/bmp"]);
const KEPT = 6;
const SPARE = 1.15; // what a window may grow before finer pixels are fetched

/** The pixels of one file, at a time of it if it moves. */
export class Sheet {
  #client;
  #changed;
  #loads = new Map();
  small = null;
  whole = null;

  constructor(client, file, time, changed) {
    Object.assign(this, { file, time });
    this.#client = client;
    this.#changed = changed;
  }

  /** The bitmap to draw at so many screen pixels for one of the picture; asks for a finer one where there is one. */
  best(density) {
    const wanted = this.file.width * density;
    if (!this.small && !this.whole) this.#load("small", Math.min(this.file.width, Math.max(wanted * SPARE, 640)));
    const coarse = !this.small || this.small.width * SPARE < Math.min(wanted, this.file.width);
    if (coarse && this.small && !this.whole) this.#load("whole", this.file.width);
    return (coarse || !this.small ? this.whole : this.small) ?? this.small ?? this.whole;
  }

  /** Take over pixels that are here already: all of them, and a smaller copy. */
  seed(whole, small) {
    Object.assign(this, { whole, small });
  }

  /** Wait for the first pixels. Throws Refusal. */
  async ready(density) {
    this.best(density);
    await this.#loads.get("small");
  }

  #load(level, width) {
    if (this.#loads.has(level)) return;
    const load = this.#fetch(level, width).then((bitmap) => {
      this[level] = bitmap;
      this.#changed();
    });
    this.#loads.set(level, load);
    load.catch(() => this.#loads.delete(level));
  }

  async #fetch(level, width) {
    const exact = level === "whole" && this.file.kind === "image" && DECODED_HERE.has(this.file.media_type);
    const blob = exact ? await this.#client.file(this.file.id) : await this.#client.preview(this.file.id, { width, time: this.time });
    return createImageBitmap(blob);
  }

  close() {
    for (const bitmap of [this.small, this.whole]) bitmap?.close?.();
    this.small = this.whole = null;
  }
}

/** The sheets that were used last. */
export class Sheets {
  #kept = new Map();

  constructor(client, changed) {
    Object.assign(this, { client, changed });
  }

  get(file, time) {
    const moves = file.kind !== "image";
    const key = moves ? `${file.id}@${time.toFixed(3)}` : file.id;
    const sheet = this.#kept.get(key) ?? new Sheet(this.client, file, moves ? time : undefined, this.changed);
    this.#kept.delete(key);
    this.#kept.set(key, sheet);
    for (const [old, unused] of this.#kept) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(old);
      unused.close();
    }
    return sheet;
  }

  clear() {
    for (const sheet of this.#kept.values()) sheet.close();
    this.#kept.clear();
  }
}
