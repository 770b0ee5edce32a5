// What is marked: a list of outlines and of masks that the server found, drawn in the order in which they were made.
//
// A mark is one of
//   { kind: "stroke", erase, width, points: [x, y, x, y, ...] }   in pixels of the picture
//   { kind: "box", box: [x, y, width, height] }
//   { kind: "mask", id, asked }     a mask file of the server, and the request that it answers
//   { kind: "invert" }
// Outlines stay outlines until the mask is sent, so that undoing is dropping the last one, and memory does not grow
// with the picture.

export const COLOUR = "#ff2d78";

/** Draw marks on a canvas: colour where something is marked, nothing elsewhere. */
export function draw(context, marks, size, masks, view) {
  context.save();
  context.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
  context.beginPath();
  context.rect(0, 0, size.width, size.height);
  context.clip();
  for (const mark of marks) {
    context.globalCompositeOperation = mark.erase ? "destination-out" : mark.kind === "invert" ? "xor" : "source-over";
    outline(context, mark, size, COLOUR, masks);
  }
  context.restore();
}

/** The marks as a PNG of the picture's size: white is marked, black is not. */
export async function rasterise(marks, size, masks) {
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext("2d", { alpha: false });
  for (const mark of marks) {
    context.globalCompositeOperation = mark.kind === "mask" ? "lighten" : mark.kind === "invert" ? "difference" : "source-over";
    if (mark.kind === "mask") context.drawImage(await masks.whole(mark.id), 0, 0, size.width, size.height);
    else outline(context, mark, size, mark.erase ? "#000" : "#fff", masks);
  }
  return canvas.convertToBlob({ type: "image/png" });
}

function outline(context, mark, size, colour, masks) {
  context.fillStyle = context.strokeStyle = colour;
  if (mark.kind === "stroke") {
    stroke(context, mark);
  } else if (mark.kind === "box") {
    context.fillRect(...mark.box);
  } else if (mark.kind === "invert") {
    context.fillRect(0, 0, size.width, size.height);
  } else {
    const tinted = masks.tinted(mark.id);
    if (tinted) context.drawImage(tinted, 0, 0, size.width, size.height);
  }
}

/** A stroke from its point `from` on; a single point is a dot. */
export function stroke(context, { points, width }, from = 0) {
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(points[from], points[from + 1]);
  if (points.length === from + 2) context.lineTo(points[from], points[from + 1]);
  for (let index = from + 2; index < points.length; index += 2) context.lineTo(points[index], points[index + 1]);
  context.stroke();
}

/**
 * What a request has to say instead of a mask: where all that is marked is the answer to one question, the question
 * itself, so that the command in the history needs no file. Null if a mask is needed.
 */
export function asQuestion(marks) {
  return marks.length === 1 && marks[0].kind === "mask" ? marks[0].asked : null;
}

const SHOWN = 2048;
const FAINT = 16; // of 255; a preview is a JPEG, which leaves specks around edges

/** The masks that the server found, as pictures. */
export class Masks {
  #client;
  #tinted = new Map();
  #arrived;

  constructor(client, arrived) {
    this.#client = client;
    this.#arrived = arrived;
  }

  /** The mask in the colour of marks; null until it is here, which `arrived` tells. */
  tinted(id) {
    if (!this.#tinted.has(id)) {
      this.#tinted.set(id, null);
      this.load(id).then(this.#arrived, () => this.#tinted.delete(id));
    }
    return this.#tinted.get(id);
  }

  /** Fetch a mask. Returns it in the colour of marks. */
  async load(id, signal) {
    const blob = await this.#client.preview(id, { width: SHOWN, signal });
    const shown = tint(await createImageBitmap(blob));
    this.#tinted.set(id, shown);
    return shown;
  }

  /** Whether a mask covers a place, given as shares of the width and the height. */
  covers(id, x, y) {
    const shown = this.#tinted.get(id);
    if (!shown) return false;
    const [column, row] = [Math.floor(x * shown.width), Math.floor(y * shown.height)];
    return shown.getContext("2d").getImageData(column, row, 1, 1).data[3] > 127;
  }

  async whole(id) {
    return createImageBitmap(await this.#client.file(id));
  }
}

function tint(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const words = new Uint32Array(image.data.buffer);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(COLOUR.slice(at, at + 2), 16));
  const colour = red | (green << 8) | (blue << 16);
  for (let index = 0; index < words.length; index++) { // the bytes of a word: red first, alpha last
    const share = words[index] & 255;
    words[index] = share < FAINT ? 0 : colour | (share << 24);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
