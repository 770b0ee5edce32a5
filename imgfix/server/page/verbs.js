// The verbs: for each a form, and what it says to the server. The names of the options are those of the command line.

import { el, button } from "./dom.js";
import { choice, folded, line, quantity, segments, share, tick } from "./fields.js";
import { number, percent, t } from "./language.js";
import { NAMES } from "./names.js";

export const VERBS = ["inpaint", "restore", "upscale", "cutout"];

/**
 * The form of a verb: { node, read, update }. `read` gives the options, `update` is told of the file that is shown.
 * place: { models(task), offers(verb, field), marks } where `marks` is null in a batch, in which nothing can be marked.
 */
export function formOf(verb, place) {
  return { inpaint, restore, upscale, cutout }[verb](place);
}

function modelField(place, task) {
  return choice(t("model"), [["", t("model.auto")], ...place.models(task).map((name) => [name, name])]);
}

/** The values of fields by the names of options; what is not said is left out. */
function gather(fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.read()]).filter(([, value]) => value !== undefined));
}

function inpaint(place) {
  const fields = {
    model: modelField(place, "inpaint"),
    dilate: quantity(t("dilate"), { placeholder: t("restore.auto"), min: -200, max: 500, step: 1 }),
    feather: quantity(t("feather"), { usual: 0, min: 0, max: 500, step: 1 }),
  };
  const options = folded(t("options"), ...Object.values(fields).map((field) => field.node));
  if (!place.marks) return batchInpaint(place, fields, options);
  const node = el("div", {}, el("p", { class: "quiet", text: t("inpaint.text") }), place.marks, options);
  return { node, read: () => gather(fields) };
}

function batchInpaint(place, fields, options) { // what is to go has to be said in words
  const words = {
    subject: tick(t("inpaint.subject")),
    overlay: tick(t("inpaint.overlay")),
    object: line(t("inpaint.names"), { list: "coco" }),
    text: line(t("inpaint.words")),
  };
  if (!place.offers("inpaint", "overlay")) delete words.overlay;
  const known = el("datalist", { id: "coco" }, ...NAMES.map((value) => el("option", { value })));
  const what = el("fieldset", { class: "field" }, el("legend", { text: t("inpaint.what") }), ...Object.values(words).map((field) => field.node), known);
  const read = () => {
    const said = gather({ ...words, ...fields });
    if (said.object) said.object = said.object.split(",").map((name) => name.trim()).filter(Boolean);
    return said;
  };
  return { node: el("div", {}, what, options), read, complete: () => Object.keys(gather(words)).length > 0 };
}

const DAMAGE = ["deblur", "low_light", "dehaze", "derain", "old", "scratches", "fading", "faces", "colorize"];

function restore(place) {
  const levels = (auto, off, ...rest) => [["", t("restore.auto")], ...rest, ["off", t("restore.off")]];
  const fields = {
    denoise: choice(t("restore.denoise"), levels("", "off", ["8", t("restore.light")], ["18", t("restore.medium")], ["35", t("restore.strong")])),
    jpeg: choice(t("restore.jpeg"), levels("", "off", ["70", t("restore.light")], ["40", t("restore.medium")], ["15", t("restore.strong")])),
  };
  const ticks = Object.fromEntries(DAMAGE.filter((name) => place.offers("restore", name)).map((name) => [name, tick(t(`restore.${name}`))]));
  const last = { strength: share(t("restore.strength"), percent), model: modelField(place, "restore") };
  const node = el("div", {},
    el("p", { class: "quiet", text: t("restore.text") }),
    el("div", { class: "ticks" }, ...Object.values(ticks).map((field) => field.node)),
    folded(t("options"), ...Object.values({ ...fields, ...last }).map((field) => field.node)));
  return { node, read: () => gather({ ...fields, ...ticks, ...last }) };
}

function upscale(place) {
  let file = null;
  const becomes = el("p", { class: "quiet small" });
  const scale = segments(t("upscale.scale"), [["2", "2×"], ["3", "3×"], ["4", "4×"]], () => update(file));
  const model = modelField(place, "upscale");
  function update(shown) {
    file = shown;
    if (!file) return;
    const factor = Number(scale.read());
    const [width, height] = [file.width * factor, file.height * factor];
    becomes.textContent = t("upscale.becomes", {
      from: `${file.width} × ${file.height}`, to: `${width} × ${height}`, megapixels: number((width * height) / 1e6, 1),
    });
  }
  const node = el("div", {}, el("p", { class: "quiet", text: t("upscale.text") }), scale.node, becomes, folded(t("options"), model.node));
  return { node, update, read: () => ({ scale: Number(scale.read()), ...gather({ model }) }) };
}

function cutout(place) {
  const what = choice(t("cutout.what"), [["", t("cutout.subject")], ["marked", t("cutout.marked")]]);
  const colour = el("input", { type: "color", value: "#808080", "aria-label": t("cutout.colour") });
  const behind = choice(t("cutout.behind"), ["none", "white", "black", "blur", "colour"].map((name) => [name === "none" ? "" : name, t(`cutout.${name}`)]),
    (value) => { colour.hidden = value !== "colour"; });
  colour.hidden = true;
  const node = el("div", {}, el("p", { class: "quiet", text: t("cutout.text") }), place.marks ? what.node : null, el("div", { class: "row end" }, behind.node, colour));
  const read = () => {
    const background = behind.read();
    return { ...(background ? { behind: background === "colour" ? colour.value : background } : {}) };
  };
  return { node, read, wantsMarked: () => what.read() === "marked" };
}

/** The part of the form of `inpaint` that says what is marked; `acts` does what its buttons say. */
export function marksPanel(place, acts) {
  const count = el("p", { class: "quiet small", id: "mark-count" });
  const things = el("div", { class: "chips", role: "group", "aria-label": t("inpaint.things"), hidden: true });
  const clear = button(t("inpaint.clear"), "trash", acts.clear, { class: "plain small" });
  const invert = button(t("inpaint.invert"), "invert", acts.invert, { class: "plain small" });
  const sides = ["x", "y", "width", "height"].map((side) => quantity(t(`box.${side}`), { min: 0, step: 1 }));
  const add = button(t("inpaint.add"), "plus", () => {
    const box = sides.map((side) => Number(side.input.value));
    if (box[2] > 0 && box[3] > 0) acts.box(box);
  });
  const quick = [
    button(t("inpaint.subject"), "subject", () => acts.ask({ subject: true })),
    button(t("inpaint.text-marks"), "text", () => acts.ask({ text: ["*"] })),
    place.offers("inpaint", "overlay") ? button(t("inpaint.overlay"), "overlay", () => acts.ask({ overlay: true })) : null,
    button(t("inpaint.find"), "find", acts.find),
  ];
  const node = el("div", { class: "marks" },
    el("div", { class: "quick" }, ...quick.filter(Boolean)), things,
    el("div", { class: "row spread" }, count, el("span", { class: "row" }, invert, clear)),
    folded(t("inpaint.exact"), el("div", { class: "sides" }, ...sides.map((side) => side.node)), add));
  return {
    node,
    update(marks) {
      count.textContent = marks.length ? t("inpaint.marks", { n: marks.length }) : t("inpaint.none");
      clear.disabled = !marks.length;
    },
    /** Names as buttons; a press marks the thing, another takes the mark away. */
    list(found, press) {
      things.hidden = !found.length;
      things.replaceChildren(...found.map((thing) => el("button", {
        type: "button", class: "chip", "aria-pressed": String(thing.marked), text: thing.words, on: { click: () => press(thing) },
      })));
    },
  };
}
