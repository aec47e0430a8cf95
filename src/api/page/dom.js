// Elements from plain values. Text is only ever set as text, so nothing from a snapshot can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** Control characters but for line ends, ends of lines and paragraphs, and marks that change the direction of writing. */
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text from a snapshot as it may be shown: what cannot be seen, or would turn what follows around, is escaped. */
export function visible(text) {
  return String(text ?? "").replace(HIDDEN, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : typeof value === "string" ? visible(value) : value);
  }
  const shown = children.flat().filter((child) => child !== null && child !== undefined);
  element.append(...shown.map((child) => (typeof child === "string" ? visible(child) : child)));
  return element;
}

/** An HTML element. Attributes that are functions are listeners; null, undefined and false leave an attribute out. */
export function h(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An SVG element, likewise. */
export function s(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

/** Changes an element's text only where it differs, so that selections and screen readers are left in peace. */
export function setText(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/** Sets or removes an attribute, only where it differs. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** An element of the page itself. */
export function byId(id) {
  return document.getElementById(id);
}

/** Says something to screen readers without moving anything. */
export function announce(text) {
  setText(byId("live"), text);
}

const ICONS = {
  chevron: "M6 3.5 10.5 8 6 12.5",
  down: "M8 2.5v8m-3.2-3.2L8 10.5l3.2-3.2M3 13.5h10",
  finished: "M3.5 8.5 6.7 11.5 12.5 5",
  failed: "M4.5 4.5l7 7m0-7-7 7",
  running: "M8 3a5 5 0 1 0 5 5",
  waiting: "M8 4.5V8l2.5 1.5M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11",
  none: "M5 8h6",
  project: "M3.5 2.5h6l3 3v8h-9zM9.5 2.5v3h3",
};

/** A small picture beside a word. */
export function icon(name) {
  const path = s("path", { d: ICONS[name] });
  return s("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, path);
}
