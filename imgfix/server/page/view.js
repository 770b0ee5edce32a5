// The picture on the screen: where it lies, how large it is, and what is drawn over it.

import { draw } from "./marks.js";

const LARGEST = 32;
const MARGIN = 24;

export class View {
  scale = 1; // screen pixels for one of the picture, before the screen's own density
  x = 0;
  y = 0;
  after = null;
  before = null;
  split = 0.5; // where the slider stands, as a share of the width
  comparing = false;
  held = false;
  marks = [];
  hovered = null;
  #fitted = true;
  #waiting = new Set();

  constructor({ stage, picture, marks, masks, moved }) {
    Object.assign(this, { stage, masks, moved });
    this.canvases = { picture, marks };
    this.contexts = { picture: picture.getContext("2d", { alpha: true }), marks: marks.getContext("2d") };
    new ResizeObserver(() => this.#resized()).observe(stage);
  }

  /** Show a picture. The place stays unless its shape is another. */
  show(after, before) {
    const old = this.after?.file;
    const grown = old ? after.file.width / old.width : 1;
    const same = old && Math.abs(after.file.height / old.height / grown - 1) < 0.01;
    Object.assign(this, { after, before });
    if (!same || this.#fitted) this.fit();
    else this.#move(this.scale / grown, this.x, this.y);
  }

  get size() {
    return this.after ? { width: this.after.file.width, height: this.after.file.height } : null;
  }

  get density() {
    return this.scale * devicePixelRatio;
  }

  /** Room around the picture that tools cover, in screen pixels. */
  get #room() {
    const style = getComputedStyle(this.stage);
    return { left: parseFloat(style.paddingLeft) || MARGIN, right: parseFloat(style.paddingRight) || MARGIN,
      top: parseFloat(style.paddingTop) || MARGIN, bottom: parseFloat(style.paddingBottom) || MARGIN };
  }

  get smallest() {
    const { width, height } = this.size;
    const { left, right, top, bottom } = this.#room;
    return Math.min((this.stage.clientWidth - left - right) / width, (this.stage.clientHeight - top - bottom) / height, 4);
  }

  fit() {
    if (!this.size) return;
    const { width, height } = this.size;
    const { left, right, top, bottom } = this.#room;
    const scale = Math.max(this.smallest, 0.001);
    this.#move(scale, left + (this.stage.clientWidth - left - right - width * scale) / 2,
      top + (this.stage.clientHeight - top - bottom - height * scale) / 2);
    this.#fitted = true;
  }

  /** Zoom so that the place under a screen position stays there. */
  zoom(scale, at = { x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 }) {
    if (!this.size) return;
    const wanted = Math.min(Math.max(scale, Math.min(this.smallest, 1) / 2), LARGEST);
    const share = wanted / this.scale;
    this.#fitted = false;
    this.#move(wanted, at.x - (at.x - this.x) * share, at.y - (at.y - this.y) * share);
  }

  /** One pixel of the picture on one of the screen. */
  zoomFull() {
    this.zoom(1 / devicePixelRatio);
  }

  pan(x, y) {
    this.#fitted = false;
    this.#move(this.scale, this.x + x, this.y + y);
  }

  #move(scale, x, y) {
    Object.assign(this, { scale, x, y });
    const { width, height } = this.size; // some of the picture stays in sight
    const keep = 60;
    this.x = Math.min(Math.max(this.x, keep - width * scale), this.stage.clientWidth - keep);
    this.y = Math.min(Math.max(this.y, keep - height * scale), this.stage.clientHeight - keep);
    this.redraw();
    this.moved?.();
  }

  toPicture({ x, y }) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  toScreen({ x, y }) {
    return { x: x * this.scale + this.x, y: y * this.scale + this.y };
  }

  inside({ x, y }) {
    return x >= 0 && y >= 0 && x < this.size.width && y < this.size.height;
  }

  #resized() {
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = Math.round(this.stage.clientWidth * devicePixelRatio);
      canvas.height = Math.round(this.stage.clientHeight * devicePixelRatio);
    }
    if (this.#fitted) this.fit();
    this.redraw();
  }

  /** Draw again with the next frame. */
  redraw(...layers) {
    if (!this.#waiting.size) requestAnimationFrame(() => this.#draw());
    for (const layer of layers.length ? layers : ["picture", "marks"]) this.#waiting.add(layer);
  }

  #draw() {
    const layers = [...this.#waiting];
    this.#waiting.clear();
    if (!this.size) return;
    if (layers.includes("picture")) this.#drawPicture();
    if (layers.includes("marks")) this.#drawMarks();
  }

  #drawPicture() {
    const context = this.contexts.picture;
    const { width: across, height: down } = context.canvas;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, across, down);
    const middle = this.comparing ? Math.round(this.split * across) : this.held ? across : 0;
    if (middle > 0) this.#drawSheet(context, this.before, 0, middle);
    if (middle < across) this.#drawSheet(context, this.after, middle, across);
  }

  #drawSheet(context, sheet, from, to) {
    const { width, height } = this.size;
    const bitmap = sheet.best((this.density * width) / sheet.file.width);
    if (!bitmap) return;
    const ratio = devicePixelRatio;
    const [left, top] = [Math.round(this.x * ratio), Math.round(this.y * ratio)]; // whole pixels: no seams at the edges
    const place = [left, top, Math.round(this.x * ratio + width * this.density) - left, Math.round(this.y * ratio + height * this.density) - top];
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, context.canvas.height);
    context.clip();
    if (sheet.file.media_type !== "image/jpeg") this.#checks(context, place);
    context.imageSmoothingEnabled = place[2] / bitmap.width < 2; // magnified, pixels are shown as they are
    context.imageSmoothingQuality = "medium";
    context.drawImage(bitmap, ...place);
    context.restore();
  }

  #checks(context, place) { // what is transparent lies on a chessboard
    this.board ??= chessboard(context);
    context.fillStyle = this.board;
    context.fillRect(...place);
  }

  get #transform() {
    return { scale: this.density, x: this.x * devicePixelRatio, y: this.y * devicePixelRatio };
  }

  #drawMarks() {
    const context = this.contexts.marks;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (this.held) return;
    draw(context, this.marks, this.size, this.masks, this.#transform);
    if (this.hovered) {
      context.save();
      context.globalAlpha = 0.6;
      const { scale, x, y } = this.#transform;
      context.drawImage(this.hovered, x, y, this.size.width * scale, this.size.height * scale);
      context.restore();
    }
  }

  /** Add to what is drawn without drawing all of it again: what a brush does between two frames. */
  addMark(paint) {
    const context = this.contexts.marks;
    const { scale, x, y } = this.#transform;
    context.save();
    context.setTransform(scale, 0, 0, scale, x, y);
    context.beginPath();
    context.rect(0, 0, this.size.width, this.size.height);
    context.clip();
    paint(context);
    context.restore();
  }
}

function chessboard(context) {
  const side = 8;
  const canvas = new OffscreenCanvas(2 * side, 2 * side);
  const squares = canvas.getContext("2d");
  squares.fillStyle = "#fff";
  squares.fillRect(0, 0, 2 * side, 2 * side);
  squares.fillStyle = "#d4d4d4";
  squares.fillRect(0, 0, side, side);
  squares.fillRect(side, side, side, side);
  return context.createPattern(canvas, "repeat");
}
