// Before and after: a slider over the picture, and a button that shows the original while it is held.

import { byId } from "./dom.js";

const STEP = 0.02;

export class Comparing {
  constructor(view) {
    this.view = view;
    const split = byId("split");
    split.addEventListener("pointerdown", (event) => { split.setPointerCapture(event.pointerId); this.#drag = true; });
    split.addEventListener("pointermove", (event) => { if (this.#drag) this.#to(event.clientX); });
    split.addEventListener("pointerup", () => { this.#drag = false; });
    split.addEventListener("keydown", (event) => this.#key(event));
    byId("compare").addEventListener("click", () => this.toggle());
    const hold = byId("hold");
    hold.addEventListener("pointerdown", () => this.hold(true));
    for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) hold.addEventListener(name, () => this.hold(false));
    hold.addEventListener("keydown", (event) => { if (["Enter", " "].includes(event.key) && !event.repeat) this.hold(true); });
    hold.addEventListener("keyup", () => this.hold(false));
    hold.addEventListener("contextmenu", (event) => event.preventDefault()); // a finger that holds is no right click
  }

  #drag = false;

  toggle(on = !this.view.comparing) {
    this.view.comparing = on;
    byId("compare").setAttribute("aria-pressed", String(on));
    for (const id of ["split", "side-before", "side-after"]) byId(id).hidden = !on;
    this.#place(this.view.split);
  }

  hold(on) {
    if (this.view.held === on) return;
    this.view.held = on;
    byId("hold").setAttribute("aria-pressed", String(on));
    byId("side-before").hidden = !(on || this.view.comparing);
    this.view.redraw();
  }

  #to(x) {
    const frame = this.view.stage.getBoundingClientRect();
    this.#place((x - frame.left) / frame.width);
  }

  #key(event) {
    const to = { ArrowLeft: -STEP, ArrowRight: STEP, ArrowDown: -STEP, ArrowUp: STEP, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#place(this.view.split + to);
  }

  #place(share) {
    this.view.split = Math.min(Math.max(share, 0), 1);
    const split = byId("split");
    split.style.left = `${100 * this.view.split}%`;
    split.setAttribute("aria-valuenow", Math.round(100 * this.view.split));
    this.view.redraw("picture");
  }
}
