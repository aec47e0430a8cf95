// Where time and bytes went: one line for the read, one for each relation, time at the left and bytes at the right.

import { h, s } from "./dom.js";
import { bytes, duration, roundBytes } from "./format.js";

const BAR = 12;
/** Where each line's label and bar are, from its top: beside each other, or, on a narrow screen, one above the other. */
const WIDE = { line: 26, text: 17, bar: 7 };
const STACKED = { line: 40, text: 14, bar: 21 };
const TOP = 30;
/** Letters of the labels are about this wide. */
const LETTER = 7.2;

/** Round distances between ticks, so that there is room for what is written at each. */
function ticks(whole, units, width) {
  const rough = (whole * 75) / width;
  const step = units.find((unit) => unit >= rough) ?? rough;
  const all = [];
  for (let at = 0; at <= whole; at += step) all.push(at);
  return all;
}

const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];
const DECIMAL = POWERS.flatMap((power) => [power, 2 * power, 5 * power]);
const TIMES = [...DECIMAL.filter((unit) => unit < 60_000), 60_000, 120_000, 300_000, 600_000, 1_200_000, 3_600_000, 7_200_000, 21_600_000];

/** What there is to draw. */
function lines(overview) {
  const { progress } = overview;
  const sizes = new Map(
    overview.relations.map((relation) => {
      const files = relation.file ? [relation] : (relation.batches ?? []);
      return [relation.relation, files.reduce((sum, file) => sum + (file.bytes ?? 0), 0)];
    }),
  );
  const relations = overview.relations
    .map((relation) => relation.relation)
    .filter((name) => progress.relations[name])
    .map((name) => {
      const { from_ms: from, to_ms: to, bytes: ndjson } = progress.relations[name];
      return { name, from, to, ndjson, gzip: sizes.get(name) ?? 0 };
    });
  return [{ name: "Reading", from: 0, to: progress.reading_ms, isReading: true }, ...relations];
}

/** What is written beside a relation's bytes. */
function sizeText({ isReading, ndjson, gzip }) {
  if (isReading) return "";
  return gzip > 0 ? `${bytes(ndjson)} → ${bytes(gzip)}` : bytes(ndjson);
}

/** The room that the longest of these texts takes. */
function room(all) {
  return Math.max(...all.map((line) => sizeText(line).length)) * LETTER + 10;
}

export class Picture {
  constructor() {
    this.drawing = h("div", { class: "drawing" });
    const key = (name, text) => h("li", {}, h("span", { class: `swatch swatch-${name}` }), text);
    this.element = h(
      "section",
      { class: "card picture", "aria-labelledby": "picture-title", hidden: true },
      h("h2", { id: "picture-title" }, "Where time and bytes went"),
      h("ul", { class: "key" }, key("reading", "Reading the snapshot"), key("time", "Writing"), key("ndjson", "NDJSON"), key("gzip", "Compressed")),
      this.drawing,
    );
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.drawing);
  }

  close() {
    this.observer.disconnect();
  }

  show(overview) {
    this.element.hidden = !overview.progress || overview.progress.phase === "waiting" || overview.progress.elapsed_ms === 0;
    if (this.element.hidden) return;
    this.overview = overview;
    this.draw();
  }

  draw() {
    const width = Math.floor(this.drawing.clientWidth);
    if (!this.overview || width === 0) return;
    const key = `${width} ${JSON.stringify([this.overview.progress, this.overview.relations.map((relation) => relation.status)])}`;
    if (key === this.drawn) return;
    this.drawn = key;
    const all = lines(this.overview);
    const whole = this.overview.progress.elapsed_ms;
    const relations = all.filter((line) => !line.isReading);
    const label = Math.ceil(Math.max(...all.map((line) => line.name.length)) * LETTER) + 14;
    const half = Math.floor((width - label) * 0.55);
    // Beside each other only where the longest text leaves as much again for its bar.
    if (width - label - half >= 2 * room(all)) {
      this.form = WIDE;
      const sizes = this.sizes(all, label + half, width - label - half);
      this.drawing.replaceChildren(this.svg(width, this.height(all), whole, relations, [this.names(all), this.times(all, label, half - 28, whole), sizes]));
    } else {
      this.form = STACKED;
      const first = this.height(all) + 10;
      const second = s("g", { transform: `translate(0 ${first})` }, this.sizes(relations, 0, width), this.names(relations));
      const height = first + this.height(relations);
      this.drawing.replaceChildren(this.svg(width, height, whole, relations, [this.times(all, 0, width, whole), this.names(all), second]));
    }
  }

  height(all) {
    return TOP + all.length * this.form.line + 4;
  }

  svg(width, height, whole, relations, children) {
    const heaviest = relations.reduce((most, line) => (line.ndjson > (most?.ndjson ?? 0) ? line : most), null);
    const read = `Reading took ${duration(this.overview.progress.reading_ms)} of ${duration(whole)}.`;
    const text = heaviest ? `${read} The most bytes are of ${heaviest.name}: ${bytes(heaviest.ndjson)}. The table above has all numbers.` : read;
    return s("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": text }, ...children);
  }

  names(all) {
    const { line: height, text } = this.form;
    const texts = all.map((line, index) => s("text", { class: line.isReading ? "label strong" : "label", x: 0, y: TOP + index * height + text }, line.name));
    return s("g", {}, ...texts);
  }

  axis(count, x, width, whole, units, title, write) {
    const marks = ticks(whole, units, width).flatMap((at) => {
      const left = x + (at / whole) * width;
      const isLast = left > x + width - 45;
      return [
        s("line", { class: "grid", x1: left, x2: left, y1: TOP - 6, y2: TOP + count * this.form.line }),
        isLast && at > 0 ? null : s("text", { class: "tick", x: left, y: TOP - 12 }, at === 0 ? title : write(at)),
      ];
    });
    return marks.filter(Boolean);
  }

  /** A value beside its bar: at its right, or at its left where there is no room. */
  value(text, from, to, end, y) {
    const room = text.length * LETTER + 8;
    if (to + room <= end) return s("text", { class: "value", x: to + 6, y }, text);
    if (from - room >= 0) return s("text", { class: "value", x: from - 6, y, "text-anchor": "end" }, text);
    return s("text", { class: "value", x: end, y, "text-anchor": "end" }, text);
  }

  times(all, x, width, whole) {
    const scale = (ms) => x + Math.min(1, ms / whole) * width;
    const bars = all.flatMap((line, index) => {
      const y = TOP + index * this.form.line + this.form.bar;
      const from = scale(line.from);
      const to = Math.max(scale(line.to), from + 2);
      const text = this.value(duration(line.to - line.from), from - x, to - x, width, 0);
      text.setAttribute("transform", `translate(${x} ${y + BAR - 2})`);
      return [s("rect", { class: line.isReading ? "bar reading" : "bar time", x: from, y, width: to - from, height: BAR, rx: 2 }), text];
    });
    return s("g", {}, ...this.axis(all.length, x, width, whole, TIMES, "Time", duration), ...bars);
  }

  sizes(all, x, width) {
    const most = Math.max(1, ...all.map((line) => line.ndjson ?? 0));
    const texts = all.map(sizeText);
    // The longest text has its place at the right of the longest bar.
    const barWidth = Math.max(2, width - room(all));
    const bars = all.flatMap((line, index) => {
      if (line.isReading) return [];
      const y = TOP + index * this.form.line + this.form.bar;
      const long = (number) => (number / most) * barWidth;
      return [
        s("rect", { class: "bar ndjson", x, y, width: Math.max(2, long(line.ndjson)), height: BAR, rx: 2 }),
        line.gzip > 0 ? s("rect", { class: "bar gzip", x, y, width: Math.max(1, Math.min(long(line.gzip), barWidth)), height: BAR, rx: 2 }) : null,
        s("text", { class: "value", x: x + Math.max(2, long(Math.max(line.ndjson, line.gzip))) + 6, y: y + BAR - 2 }, texts[index]),
      ].filter(Boolean);
    });
    return s("g", {}, ...this.axis(all.length, x, barWidth, most, DECIMAL, "Bytes", roundBytes), ...bars);
  }
}
