// The relations of an export: counts, sizes, errors in full, and their files. Rows change in place, so that neither focus
// nor selection is lost while an export runs.

import { announce, h, icon, setAttribute, setText } from "./dom.js";
import { bytes, count, counted, duration, percent } from "./format.js";
import { fileAddress, save } from "./server.js";

const COLUMNS = 8;
const BATCHES_AT_ONCE = 100;
/** The relations of files. Without any they are finished all the same, so that a destination goes on. */
const FILES = ["uploads", "lfs_objects", "repository", "design"];
const BATCH_STATES = { 0: ["waiting", "Waiting"], 1: ["finished", "Finished"], 2: ["running", "Writing"], "-1": ["failed", "Failed"] };

function cell(label, ...children) {
  return h("td", { role: "cell", "data-label": label, class: `cell-${label.toLowerCase()}` }, ...children);
}

function head(label, isNumber) {
  return h("th", { scope: "col", role: "columnheader", class: isNumber ? "number" : null }, label);
}

function finishedWord(relation) {
  if (relation.skipped_count > 0) return "Finished, rows left out";
  return relation.missing_files?.count > 0 ? "Finished, files missing" : "Finished";
}

/** A state's picture and word, changed in place. */
class StateCell {
  constructor() {
    this.element = cell("Status");
  }

  show(state, word) {
    if (this.state !== state) {
      this.state = state;
      this.word = h("span", {}, word);
      this.element.replaceChildren(h("span", { class: `status status-${state}` }, icon(state), this.word));
    }
    setText(this.word, word);
  }
}

/** What fetches a file: a plain link where everybody may, else a button that sends the token. */
class Download {
  constructor(key, relation, batch, isOpen, isOlder = false) {
    const whole = isOlder ? `${relation} of the older export` : relation;
    const what = batch === null ? whole : `batch ${batch} of ${relation}`;
    const address = fileAddress(key, relation, batch);
    const label = { class: "download", "aria-label": `Download ${what}`, title: `Download ${what}` };
    if (isOpen) {
      this.element = h("a", { ...label, href: address, download: true }, icon("down"));
      return;
    }
    this.problem = h("span", { class: "problem small", role: "alert", hidden: true });
    this.button = h("button", { ...label, type: "button", click: () => this.fetch(address, what) }, icon("down"));
    this.element = h("span", {}, this.button, this.problem);
  }

  async fetch(address, what) {
    if (this.button.getAttribute("aria-busy") === "true") return;
    this.button.setAttribute("aria-busy", "true");
    this.problem.hidden = true;
    announce(`Fetching ${what}`);
    try {
      await save(address, "export.ndjson.gz");
    } catch (error) {
      setText(this.problem, error.message);
      this.problem.hidden = false;
    } finally {
      this.button.removeAttribute("aria-busy");
    }
  }
}

/** The batches of a relation, shown a hundred at a time. */
class Batches {
  constructor(key, relation, isOpen) {
    this.key = key;
    this.relation = relation;
    this.isOpen = isOpen;
    this.shown = BATCHES_AT_ONCE;
    this.lines = [];
    this.body = h("tbody", { role: "rowgroup" });
    this.more = h("button", { class: "secondary", type: "button", hidden: true, click: () => this.showMore() });
    const columns = h("tr", { role: "row" }, head("Batch", true), head("Status"), head("Objects", true), head("Gzip", true), head("SHA-256"), head("File"));
    this.element = h(
      "div",
      { class: "batches" },
      h("table", { role: "table" }, h("caption", {}, `Batches of ${relation}`), h("thead", { role: "rowgroup" }, columns), this.body),
      this.more,
    );
  }

  showMore() {
    const first = this.shown;
    this.shown += BATCHES_AT_ONCE;
    this.show(this.batches);
    this.lines[first]?.number.focus();
  }

  line(batch) {
    const line = { number: h("th", { scope: "row", role: "rowheader", class: "number", tabindex: -1 }, count(batch.batch_number)), state: new StateCell() };
    line.objects = cell("Objects");
    line.gzip = cell("Gzip");
    line.sha = cell("SHA-256");
    line.file = cell("File");
    line.row = h("tr", { role: "row" }, line.number, line.state.element, line.objects, line.gzip, line.sha, line.file);
    this.body.append(line.row);
    return line;
  }

  show(batches) {
    this.batches = batches;
    const seen = batches.slice(0, this.shown);
    while (this.lines.length > seen.length) this.lines.pop().row.remove();
    seen.forEach((batch, index) => {
      this.lines[index] ??= this.line(batch);
      const line = this.lines[index];
      const [state, word] = BATCH_STATES[batch.status];
      line.state.show(state, batch.error ? `${word}: ${batch.error}` : word);
      setText(line.objects, count(batch.objects_count));
      setText(line.gzip, batch.file ? bytes(batch.bytes) : "");
      setText(line.sha, batch.sha256 ?? "");
      if (Boolean(line.download) !== Boolean(batch.file)) {
        line.download = batch.file ? new Download(this.key, this.relation, batch.batch_number, this.isOpen) : null;
        line.file.replaceChildren(...(line.download ? [line.download.element] : []));
      }
    });
    const left = batches.length - seen.length;
    this.more.hidden = left === 0;
    setText(this.more, `Show ${count(Math.min(left, BATCHES_AT_ONCE))} more of ${count(left)}`);
  }
}

/** One relation: its row, what went wrong below it, and its batches below that. */
class RelationRows {
  constructor(key, name, isOpen) {
    Object.assign(this, { key, name, isOpen, fileShown: null, batches: null });
    this.state = new StateCell();
    this.objectsText = h("span", {});
    this.bar = h("progress", { max: 100, "aria-label": `Rows of ${name}`, hidden: true });
    this.objects = cell("Objects", this.objectsText, this.bar);
    this.batchesText = h("span", {});
    this.batchesWord = h("span", { class: "unseen" });
    this.toggle = h(
      "button",
      { class: "toggle", type: "button", "aria-expanded": "false", hidden: true, click: () => this.flip() },
      icon("chevron"),
      this.batchesText,
      this.batchesWord,
    );
    this.batchesCell = cell("Batches", this.toggle);
    this.ndjson = cell("NDJSON");
    this.gzip = cell("Gzip");
    this.time = cell("Time");
    this.file = cell("File");
    const heading = h("th", { scope: "row", role: "rowheader" }, name);
    const cells = [this.state.element, this.objects, this.batchesCell, this.ndjson, this.gzip, this.time, this.file];
    this.row = h("tr", { role: "row", class: "relation" }, heading, ...cells);
    this.errorText = h("pre", { tabindex: 0, role: "region", "aria-label": `Error of ${name}` });
    this.lists = h("div", {});
    this.problem = this.below(h("div", { class: "problem" }, this.errorText, this.lists));
    this.details = this.below();
    this.element = h("tbody", { role: "rowgroup" }, this.row, this.problem, this.details);
  }

  below(...children) {
    return h("tr", { role: "row", class: "below", hidden: true }, h("td", { role: "cell", colspan: COLUMNS }, ...children));
  }

  flip() {
    const isOpen = this.toggle.getAttribute("aria-expanded") === "true";
    this.toggle.setAttribute("aria-expanded", String(!isOpen));
    this.details.hidden = isOpen;
    if (!isOpen && !this.batches) {
      this.batches = new Batches(this.key, this.name, this.isOpen);
      this.details.firstElementChild.append(this.batches.element);
    }
    if (!isOpen) this.batches.show(this.relation.batches);
  }

  show(relation, progress, runPhase, hasOlder) {
    this.relation = relation;
    this.showState(relation, progress, runPhase);
    const batches = relation.batches ?? [];
    setText(this.ndjson, progress && (progress.bytes > 0 || relation.file) ? bytes(progress.bytes) : "");
    const files = relation.file ? [relation] : batches.filter((batch) => batch.file);
    setText(this.gzip, files.length > 0 ? bytes(files.reduce((sum, file) => sum + file.bytes, 0)) : "");
    setText(this.time, progress ? duration(progress.to_ms - progress.from_ms) : "");
    this.showBatches(relation, batches);
    // A batched relation without rows has a file, which the API, as GitLab's, does not give.
    const isWhole = Boolean(relation.file) && !relation.batched;
    const file = isWhole ? "new" : hasOlder ? "older" : null;
    if (this.fileShown !== file) {
      this.fileShown = file;
      const download = file && new Download(this.key, this.name, null, this.isOpen, file === "older");
      this.file.replaceChildren(...(download ? [download.element] : []));
    }
    this.showProblem(relation);
  }

  showState(relation, progress, runPhase) {
    const isWriting = relation.status === 0 && runPhase === "rendering" && progress;
    const isEmpty = relation.total_objects_count === 0 && !relation.file && (relation.batches ?? []).length === 0;
    if (relation.status === 1 && FILES.includes(this.name) && isEmpty) this.state.show("none", "No files");
    else if (relation.status === 1) this.state.show("finished", finishedWord(relation));
    else if (relation.status === -1) this.state.show("failed", "Failed");
    else if (isWriting) this.state.show("running", `Writing, ${percent(progress.rendered, progress.rows)} %`);
    else this.state.show("waiting", runPhase === "reading" ? "Being read" : "Waiting");
    const total = relation.status === 0 ? (progress?.rows ?? null) : relation.total_objects_count;
    if (isWriting) setText(this.objectsText, `${count(progress.rendered)} of ${count(progress.rows)}`);
    else setText(this.objectsText, total === null || relation.status === -1 ? "" : count(total));
    this.bar.hidden = !isWriting;
    if (isWriting) setAttribute(this.bar, "value", percent(progress.rendered, progress.rows));
  }

  showBatches(relation, batches) {
    this.toggle.hidden = batches.length === 0;
    const done = batches.filter((batch) => batch.status === 1).length;
    const whole = Math.max(relation.batches_count, batches.length);
    setText(this.batchesText, done === whole ? count(whole) : `${count(done)} of ${count(whole)}`);
    setText(this.batchesWord, ` ${whole === 1 ? "batch" : "batches"} of ${this.name}`);
    if (this.batches && !this.details.hidden) this.batches.show(batches);
    if (batches.length === 0) {
      this.details.hidden = true;
      this.toggle.setAttribute("aria-expanded", "false");
    }
  }

  showProblem(relation) {
    const lists = [
      { word: "row", what: "left out", count: relation.skipped_count ?? 0, first: relation.skipped ?? [], line: (row) => `${place(row)}: ${row.reason}` },
      noted(relation.missing_files, "file", "not in the snapshot", (file) => `${place(file)}: ${file.path}`),
      noted(relation.damaged_files, "file", "not what its row says", (file) => `${place(file)}: ${file.path}: ${file.reason}`),
      noted(relation.unreadable_values, "value", "that cannot be read", (value) => `${place(value)}: ${value.reason}`),
      noted(relation.large_records, "record", "larger than GitLab reads", (record) => `row ${record.key}: ${bytes(record.bytes)}`),
      dangling(relation.dangling_references ?? []),
    ].filter((list) => list.count > 0);
    this.problem.hidden = !relation.error && lists.length === 0;
    this.errorText.hidden = !relation.error;
    setText(this.errorText, relation.error ?? "");
    const shown = JSON.stringify(lists.map((list) => [list.word, list.count]));
    if (this.listsShown === shown) return;
    this.listsShown = shown;
    const parts = lists.flatMap((list) => {
      const some = !list.isAll && list.first.length < list.count ? `; the first ${count(list.first.length)} are` : "";
      const title = `${counted(list.count, list.word)} ${list.what}${some}:`;
      return [h("p", {}, title), h("ul", {}, ...list.first.map((one) => h("li", {}, list.line(one))))];
    });
    this.lists.replaceChildren(...parts);
  }
}

/** Where something in a table is. */
function place(one) {
  return [one.table, one.key === null ? null : `row ${one.key}`, one.column ? `column ${one.column}` : null].filter(Boolean).join(", ");
}

/** What the manifest notes of a relation. */
function noted(notes, word, what, line) {
  return { word, what, count: notes?.count ?? 0, first: notes?.first ?? [], line };
}

/** References that lead nowhere, by column: all columns are there. */
function dangling(columns) {
  const total = columns.reduce((sum, column) => sum + column.count, 0);
  const line = (column) => `${column.table}.${column.column} to ${column.to}: ${count(column.count)}`;
  return { word: "reference", what: "to rows that the snapshot does not have", count: total, first: columns, line, isAll: true };
}

export class RelationsTable {
  constructor(key, isOpen) {
    Object.assign(this, { key, isOpen, rows: new Map() });
    const columns = [head("Relation"), head("Status"), head("Objects", true), head("Batches", true), head("NDJSON", true), head("Gzip", true), head("Time", true), head("File")];
    const caption = h("caption", { class: "unseen" }, "Relations: where each is, its counts, sizes and files");
    this.table = h("table", { role: "table", class: "relations" }, caption, h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...columns)));
    this.element = h("section", { class: "card", "aria-labelledby": "relations-title" }, h("h2", { id: "relations-title" }, "Relations"), this.table);
  }

  show(overview) {
    const names = new Set(overview.relations.map((relation) => relation.relation));
    for (const [name, rows] of this.rows) {
      if (names.has(name)) continue;
      rows.element.remove();
      this.rows.delete(name);
    }
    const { progress } = overview;
    for (const relation of overview.relations) {
      const name = relation.relation;
      let rows = this.rows.get(name);
      if (!rows) {
        rows = new RelationRows(this.key, name, this.isOpen);
        this.rows.set(name, rows);
        this.table.append(rows.element);
      }
      rows.show(relation, progress?.relations[name], progress?.phase, overview.older_files.includes(name));
    }
  }
}
