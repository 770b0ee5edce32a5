// Hands on the picture: pointers, fingers and keys become marks, clicks and movements of the view.

import { COLOUR, stroke } from "./marks.js";

const HOVER_REST = 120; // milliseconds a pointer rests before what is under it is looked for
const HOLD = 500; // milliseconds after which a touch is a long one
const STEP = 12; // screen pixels that an arrow key moves the cursor

/**
 * What happens is told to `acts`: mark(mark), pick(point, { not }), hover(point or null), tool(name).
 * Tools: select, brush, erase, box, hand.
 */
export class Stage {
  tool = "select";
  brushSize = 40; // across, in screen pixels
  enabled = true;
  #pointers = new Map();
  #drag = null;
  #space = false;
  #cursor = null; // where the keyboard points, in screen pixels
  #corner = null; // the first corner of a box that the keyboard draws
  #rest;

  constructor({ view, surface, brush, acts }) {
    Object.assign(this, { view, surface, brush, acts });
    const on = (name, call, options) => surface.addEventListener(name, call.bind(this), options);
    on("pointerdown", this.#down);
    on("pointermove", this.#move);
    on("pointerup", this.#up);
    on("pointercancel", this.#cancel);
    on("pointerleave", this.#leave);
    on("wheel", this.#wheel, { passive: false });
    on("keydown", this.#key);
    on("keyup", (event) => { if (event.code === "Space") this.#space = false; });
    on("blur", () => { this.#space = false; this.#hideCursor(); });
    on("contextmenu", (event) => event.preventDefault());
  }

  use(tool) {
    this.tool = tool;
    this.#corner = null;
    this.surface.dataset.tool = tool;
    this.#hoverNone();
    this.#showBrush(null);
    this.acts.tool(tool);
  }

  #at(event) {
    const frame = this.surface.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  #down(event) {
    if (!this.view.size) return;
    this.surface.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
    this.#hideCursor();
    if (this.#pointers.size === 2) return this.#pinch();
    const pans = event.button === 1 || this.tool === "hand" || this.#space || !this.enabled;
    this.#drag = pans ? { kind: "pan", last: this.#at(event) } : this.#begin(this.#at(event), event.button === 2 || event.altKey);
    this.surface.classList.toggle("grabbing", pans);
  }

  #begin(at, second) {
    const point = this.view.toPicture(at);
    if (this.tool === "select") return { kind: "click", start: at, second, since: performance.now() };
    if (this.tool === "box") return { kind: "box", start: point, end: point };
    const mark = { kind: "stroke", erase: (this.tool === "erase") !== second, width: this.brushSize / this.view.scale, points: [] };
    const drag = { kind: "stroke", mark };
    this.#extend(drag, [at]);
    return drag;
  }

  #move(event) {
    const at = this.#at(event);
    if (this.#pointers.has(event.pointerId)) this.#pointers.set(event.pointerId, at);
    if (!this.view.size) return;
    this.#showBrush(event.pointerType === "touch" ? null : at);
    const drag = this.#drag;
    if (!drag) return this.#hover(event, at);
    if (drag.kind === "pinch") return this.#pinched(drag);
    if (drag.kind === "pan") {
      this.view.pan(at.x - drag.last.x, at.y - drag.last.y);
      drag.last = at;
    } else if (drag.kind === "stroke") {
      const events = event.getCoalescedEvents?.() ?? [];
      this.#extend(drag, (events.length ? events : [event]).map((one) => this.#at(one)));
    } else if (drag.kind === "box") {
      drag.end = this.view.toPicture(at);
      this.#drawBox(drag);
    }
  }

  #extend({ mark }, places) {
    const from = Math.max(mark.points.length - 2, 0);
    for (const place of places) {
      const { x, y } = this.view.toPicture(place);
      mark.points.push(Math.round(x * 10) / 10, Math.round(y * 10) / 10);
    }
    this.view.addMark((context) => {
      context.strokeStyle = COLOUR;
      context.globalCompositeOperation = mark.erase ? "destination-out" : "source-over";
      stroke(context, mark, from);
    });
  }

  #drawBox(drag) {
    this.view.marks = [...this.acts.marks(), { kind: "box", box: boxOf(drag, this.view.size) }];
    this.view.redraw("marks");
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    const drag = this.#drag;
    if (drag?.kind === "pinch" && this.#pointers.size) return;
    this.#drag = null;
    this.surface.classList.remove("grabbing");
    if (!drag) return;
    if (drag.kind === "stroke") this.acts.mark(drag.mark);
    if (drag.kind === "box") this.#finishBox(drag);
    if (drag.kind === "click") this.#click(this.#at(event), drag, event.pointerType === "touch");
  }

  #click(at, { start, second, since }, touch) {
    if (Math.hypot(at.x - start.x, at.y - start.y) > 12) return; // a drag is no click
    const point = this.view.toPicture(at);
    const held = touch && performance.now() - since >= HOLD; // a finger has no Alt key
    if (this.view.inside(point)) this.acts.pick(whole(point), { not: second || held });
  }

  #finishBox(drag) {
    const box = boxOf(drag, this.view.size);
    if (box[2] >= 1 && box[3] >= 1) this.acts.mark({ kind: "box", box });
    else this.acts.unmarked();
  }

  #cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#drag = null;
    this.acts.unmarked();
  }

  #leave() {
    this.#showBrush(null);
    this.#hoverNone();
  }

  #pinch() { // the second finger ends what the first began
    if (["stroke", "box"].includes(this.#drag?.kind)) this.acts.unmarked();
    this.#drag = { kind: "pinch", ...this.#fingers(), scale: this.view.scale };
  }

  #fingers() {
    const [a, b] = [...this.#pointers.values()];
    return { apart: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }

  #pinched(drag) {
    if (this.#pointers.size < 2) return;
    const { apart, middle } = this.#fingers();
    this.view.pan(middle.x - drag.middle.x, middle.y - drag.middle.y);
    this.view.zoom((drag.scale * apart) / drag.apart, middle);
    drag.middle = middle;
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    if (event.shiftKey) return this.view.pan(-(event.deltaX || event.deltaY) * lines, 0);
    this.view.zoom(this.view.scale * Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), this.#at(event));
  }

  #hover(event, at) {
    clearTimeout(this.#rest);
    if (this.tool !== "select" || event.pointerType === "touch" || !this.enabled) return;
    this.#rest = setTimeout(() => {
      const point = this.view.toPicture(at);
      this.acts.hover(this.view.inside(point) ? whole(point) : null);
    }, HOVER_REST);
  }

  #hoverNone() {
    clearTimeout(this.#rest);
    this.acts.hover(null);
  }

  #showBrush(at) {
    const paints = ["brush", "erase"].includes(this.tool);
    const shown = (at && paints) || (at && this.#cursor);
    this.brush.hidden = !shown;
    if (!shown) return;
    const size = paints ? this.brushSize : 14;
    Object.assign(this.brush.style, { width: `${size}px`, height: `${size}px`, transform: `translate(${at.x - size / 2}px, ${at.y - size / 2}px)` });
    this.brush.classList.toggle("cross", !paints);
  }

  // The keyboard: arrows move a cursor, Enter does there what a click would.

  #key(event) {
    if (!this.view.size || event.ctrlKey || event.metaKey) return;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (steps) {
      event.preventDefault();
      const far = event.shiftKey ? 5 * STEP : event.altKey ? 1 : STEP;
      if (this.tool === "hand") return this.view.pan(-steps[0] * far * 2, -steps[1] * far * 2);
      this.#moveCursor(steps[0] * far, steps[1] * far);
    } else if (event.code === "Space" && !event.repeat) {
      event.preventDefault();
      this.#space = true;
    } else if (event.key === "Enter" && this.enabled) {
      event.preventDefault();
      this.#press(event.altKey);
    }
  }

  #moveCursor(x, y) {
    const { clientWidth: across, clientHeight: down } = this.surface;
    const old = this.#cursor ?? { x: across / 2, y: down / 2 };
    this.#cursor = { x: Math.min(Math.max(old.x + x, 0), across), y: Math.min(Math.max(old.y + y, 0), down) };
    this.#showBrush(this.#cursor);
    if (this.#corner) this.#drawBox({ start: this.#corner, end: this.view.toPicture(this.#cursor) });
  }

  #hideCursor() {
    this.#cursor = this.#corner = null;
    this.#showBrush(null);
  }

  #press(second) {
    if (!this.#cursor) return this.#moveCursor(0, 0);
    const point = this.view.toPicture(this.#cursor);
    if (this.tool === "box") {
      if (this.#corner) this.#finishBox({ start: this.#corner, end: point });
      this.#corner = this.#corner ? null : point;
    } else if (this.tool !== "hand") {
      const drag = this.#begin(this.#cursor, second);
      if (drag.kind === "stroke") this.acts.mark(drag.mark);
      else this.#click(this.#cursor, drag);
    }
  }
}

const whole = ({ x, y }) => ({ x: Math.floor(x), y: Math.floor(y) });

/** A box of whole pixels inside the picture, from two corners. */
export function boxOf({ start, end }, { width, height }) {
  const clamp = (value, top) => Math.min(Math.max(Math.round(value), 0), top);
  const left = clamp(Math.min(start.x, end.x), width);
  const top = clamp(Math.min(start.y, end.y), height);
  return [left, top, clamp(Math.max(start.x, end.x), width) - left, clamp(Math.max(start.y, end.y), height) - top];
}
