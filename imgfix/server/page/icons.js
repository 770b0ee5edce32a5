// The icons: outlines on a grid of 24, drawn with the colour of the text beside them.

const OUTLINES = {
  logo: ["M4 18l5.5-7 4.5 5.5 2.5-3 3.5 4.5z", "M16.5 8.5a1 1 0 1 0 .01 0", "M3 4h18v16H3z"],
  photo: ["M4 5h16v14H4z", "M4 16l5-5 4 4 2.5-2.5L20 17", "M15.5 9.5a.8.8 0 1 0 .01 0"],
  open: ["M4 19V6h5l2 2.5h9V19z"],
  folder: ["M4 19V6h5l2 2.5h9V19z", "M12 11v5", "M9.5 13.5h5"],
  download: ["M12 4v11", "M7.5 11l4.5 4.5 4.5-4.5", "M5 20h14"],
  undo: ["M9 6L4.5 10.5 9 15", "M5 10.5h9a5 5 0 0 1 0 10h-3"],
  redo: ["M15 6l4.5 4.5L15 15", "M19 10.5h-9a5 5 0 0 0 0 10h3"],
  settings: ["M4 7h9", "M17 7h3", "M15 5v4", "M4 17h3", "M11 17h9", "M9 15v4", "M4 12h16"],
  pointer: ["M6 3.5l12.5 8-5.8 1.4L9.5 18z", "M13 13.5l4 6.5"],
  brush: ["M20 4l-9.5 9.5", "M10.5 13.5c-3-1.5-5.5.5-5.5 3S4 20 3.5 20.5c4.5 1 9-.5 9-4.5z"],
  eraser: ["M8.5 19.5L3.5 14.5l9-9.5 7 6.5-7.5 8z", "M8 9.5l7 6.5", "M12 19.5h8"],
  box: ["M4 8V4h4", "M16 4h4v4", "M20 16v4h-4", "M8 20H4v-4", "M11 4h2", "M11 20h2", "M4 11v2", "M20 11v2"],
  hand: ["M8 13V6.5a1.5 1.5 0 0 1 3 0V11", "M11 11V5a1.5 1.5 0 0 1 3 0v6", "M14 11V6.5a1.5 1.5 0 0 1 3 0V14c0 4-2 6.5-5.5 6.5S7 19 4.5 14.5a1.4 1.4 0 0 1 2.3-1.5L8 14.5"],
  minus: ["M6 12h12"],
  plus: ["M6 12h12", "M12 6v12"],
  fit: ["M4 9V4h5", "M15 4h5v5", "M20 15v5h-5", "M9 20H4v-5", "M9 9h6v6H9z"],
  compare: ["M12 3v18", "M4 6h5v12H4z", "M15 6h5v12h-5z"],
  eye: ["M3 12c2.5-4 5.5-6 9-6s6.5 2 9 6c-2.5 4-5.5 6-9 6s-6.5-2-9-6z", "M12 9.5a2.5 2.5 0 1 0 .01 0"],
  split: ["M9 8l-4 4 4 4", "M15 8l4 4-4 4"],
  copy: ["M9 9h10v11H9z", "M15 9V4H5v11h4"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  subject: ["M12 4a3.5 3.5 0 1 0 .01 0", "M5 20c.5-4.5 3-7 7-7s6.5 2.5 7 7z"],
  text: ["M5 7V4.5h14V7", "M12 4.5V20", "M9 20h6"],
  overlay: ["M4 5h16v14H4z", "M12 12h6v5h-6z"],
  find: ["M10.5 4.5a6 6 0 1 0 .01 0", "M15 15l5 5"],
  invert: ["M4 4h16v16H4z", "M12 8a4 4 0 1 0 .01 0"],
  trash: ["M5 7h14", "M9 7V4.5h6V7", "M7 7l1 13h8l1-13"],
  more: ["M4 6h10v9H4z", "M18 9h2.5v10H9v-1.5"],
  play: ["M7 5l12 7-12 7z"],
  film: ["M4 5h16v14H4z", "M8 5v14", "M16 5v14", "M4 12h16"],
};

/** An SVG element of the icon of that name. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.classList.add("icon");
  fill(svg, name);
  return svg;
}

function fill(svg, name) {
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.replaceChildren(...OUTLINES[name].map((outline) => {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", outline);
    return path;
  }));
}

/** Put the icons where `data-icon` names one. */
export function placeIcons(root) {
  for (const place of root.querySelectorAll("[data-icon]")) {
    if (place instanceof SVGElement) fill(place, place.dataset.icon);
    else if (!place.querySelector("svg")) place.prepend(icon(place.dataset.icon));
  }
}
