// One group or project: its export, live while it runs.

import { Archives } from "./archive.js";
import { announce, h, icon, setAttribute, setText, visible } from "./dom.js";
import { bytes, count, counted, countedFamily, duration, moment, percent } from "./format.js";
import { ManifestView } from "./manifest.js";
import { Picture } from "./picture.js";
import { RelationsTable } from "./relations.js";
import { Silence, cancelExport, entity, keyOf, startExport } from "./server.js";

const POLL_DELAY = 500;
const HIDDEN_POLL_DELAY = 5000;
const OUTAGE_DELAY = 2000;

const WORDS = { waiting: "Waiting", running: "Running", finished: "Finished", failed: "Failed", none: "Not exported" };

/** True while something of it may change by itself: its own export, or one of what lies in it. */
function isGoingOn(overview) {
  const { state, family } = overview;
  return state === "waiting" || state === "running" || (family && family.waiting + family.running > 0);
}

/** A badge: a picture and a word. */
export function badge(state, word) {
  return h("span", { class: `badge badge-${state}` }, icon(state), word);
}

function fact(term, ...values) {
  return h("div", {}, h("dt", {}, term), h("dd", {}, ...values));
}

/** What the whole export has, from its relations. */
function totals(overview) {
  const relations = overview.relations;
  const files = relations.flatMap((relation) => (relation.file ? [relation] : (relation.batches ?? []).filter((batch) => batch.file)));
  const progress = Object.values(overview.progress?.relations ?? {});
  return {
    objects: relations.reduce((sum, relation) => sum + relation.total_objects_count, 0),
    files: files.length,
    gzip: files.reduce((sum, file) => sum + file.bytes, 0),
    ndjson: progress.reduce((sum, relation) => sum + relation.bytes, 0),
    failed: relations.filter((relation) => relation.status === -1).length,
    done: relations.filter((relation) => relation.status !== 0).length,
  };
}

export class EntityView {
  /** `kind` is `groups` or `projects`, `named` an id or a full path; `page` is what the page offers. */
  constructor(kind, named, page) {
    Object.assign(this, { kind, named, page });
    /** The group or project itself, as the tree has it. */
    this.line = null;
    this.key = null;
    this.state = undefined;
    this.abort = new AbortController();
    this.timer = 0;
    this.heading = h("h1", { tabindex: -1 }, "…");
    this.trail = h("p", { class: "trail" });
    this.state_badge = h("span", { class: "state" });
    this.meta = h("p", { class: "meta" });
    this.panel = h("section", { class: "card export", "aria-label": "Export" });
    this.rest = h("div", { class: "rest" });
    this.element = h(
      "article",
      {},
      h("a", { class: "back", href: "#/" }, icon("chevron"), "Groups"),
      h("header", { class: "group-header" }, this.trail, h("div", { class: "title" }, this.heading, this.state_badge), this.meta),
      this.panel,
      this.rest,
    );
  }

  close() {
    this.abort.abort();
    clearTimeout(this.timer);
    this.picture?.close();
  }

  async start() {
    clearTimeout(this.timer);
    const asked = (this.asked = Symbol("newest question"));
    let delay = null;
    try {
      const overview = await entity(this.kind, this.line?.id ?? this.named, this.abort.signal);
      if (this.abort.signal.aborted || this.asked !== asked) return;
      this.page.outage(null);
      this.show(overview);
      if (isGoingOn(overview)) delay = document.hidden ? HIDDEN_POLL_DELAY : POLL_DELAY;
    } catch (error) {
      if (error.name === "AbortError" || this.asked !== asked) return;
      if (error instanceof Silence || error.status === 503) {
        this.page.outage(`${error.message} Trying again …`);
        delay = (error.retryAfter ?? 0) * 1000 || OUTAGE_DELAY;
      } else {
        this.refuse(error);
      }
    }
    if (delay !== null && !this.abort.signal.aborted) this.timer = setTimeout(() => this.start(), delay);
  }

  refuse(error) {
    const word = this.kind === "projects" ? "project" : "group";
    const text = error.status === 404 ? `There is no such ${word}, or this token may not see it.` : "The server refused this.";
    setText(this.heading, error.message);
    this.panel.replaceChildren(h("p", {}, text));
    announce(`${error.message} ${text}`);
  }

  /** One sentence on where the export is. */
  summary(overview) {
    const { state, progress, groups_before: before } = overview;
    if (state === null) return "not exported yet";
    if (state === "waiting") return before > 0 ? `waiting behind ${counted(before, "export")}` : "waiting for its turn";
    if (state === "running") {
      return progress?.phase === "rendering" ? `writing relations, ${percent(progress.rendered_rows, progress.expected_rows)} %` : "reading the snapshot";
    }
    const all = totals(overview);
    if (state === "failed") return all.failed > 0 ? `${counted(all.failed, "relation")} failed` : "the export failed";
    return `finished, ${counted(all.objects, "object")}`;
  }

  show(overview) {
    const isFirst = this.line === null;
    if (isFirst) {
      this.line = overview.group ?? overview.project;
      this.key = keyOf(this.line);
      this.frame();
    }
    this.page.changed(overview);
    const isNews = this.isNews(overview);
    if (isFirst) this.page.shown(overview);
    else if (isNews) announce(`${this.line.name}: ${this.summary(overview)}`);
    const state = overview.state ?? "none";
    if (this.state !== state) {
      this.state = state;
      this.state_badge.replaceChildren(badge(state, WORDS[state]));
    }
    this.showExport(overview);
    this.showRest(overview);
  }

  /** True where there is something to announce that a sighted reader sees: each step, and quarters of the writing. */
  isNews(overview) {
    const { state, progress } = overview;
    const quarter = progress?.phase === "rendering" ? Math.floor(percent(progress.rendered_rows, progress.expected_rows) / 25) : 0;
    const told = `${state} ${progress?.phase} ${quarter} ${overview.accepted_at}`;
    const isNews = told !== this.told;
    this.told = told;
    return isNews;
  }

  frame() {
    const { line } = this;
    const isProject = line.kind === "project";
    setText(this.heading, line.name);
    const parts = line.full_path.split("/");
    const trail = parts.map((part, index) => {
      const path = parts.slice(0, index + 1).join("/");
      // A person's namespace is no group.
      const isLink = index < parts.length - 1 && !/^[0-9]+$/.test(path) && !(isProject && line.group_id === null);
      const shown = isLink ? h("a", { href: `#/groups/${encodeURIComponent(path)}` }, part) : part;
      return index === 0 ? [shown] : [h("span", { class: "slash", "aria-hidden": "true" }, "/"), shown];
    });
    this.trail.replaceChildren(...trail.flat());
    const { subgroups_count: subgroups = 0, projects_count: projects = 0 } = line;
    const inside = subgroups + projects > 0 ? ` · ${countedFamily(subgroups, projects)}` : "";
    setText(this.meta, `${isProject ? "Project" : "Group"} ${line.id}${inside}${line.archived ? " · archived" : ""}`);

    this.batched = h("input", { type: "checkbox", id: "batched", "aria-describedby": "batched-hint" });
    this.subgroups = h("input", { type: "checkbox", id: "subgroups", "aria-describedby": "subgroups-hint" });
    this.button = h("button", { class: "primary", type: "submit" }, "Export");
    this.cancel = h("button", { class: "secondary", type: "button", hidden: true, click: () => this.takeBack() }, "Cancel");
    const choice = (input, label, hint) =>
      h("div", { class: "choice" }, input, h("label", { for: input.id }, label), h("span", { class: "hint", id: `${input.id}-hint` }, hint));
    this.form = h(
      "form",
      { class: "export-form", submit: (event) => this.submit(event) },
      h(
        "div",
        { class: "choices" },
        subgroups + projects > 0 ? choice(this.subgroups, "With all that lies in it", "all groups below this one, and all their projects, in one read of the snapshot") : null,
        choice(this.batched, "In batches", "one file for each batch of a relation, instead of one for each relation"),
      ),
      h("div", { class: "form-buttons" }, this.cancel, this.button),
    );
    this.refusal = h("p", { class: "problem", role: "alert", hidden: true });
    this.error = h("div", { class: "problem", hidden: true });
    this.note = h("p", { class: "note", hidden: true });
    this.bar = h("progress", { "aria-label": "Export", max: 100 });
    this.barText = h("p", { class: "progress-text" });
    this.progress = h("div", { class: "progress", hidden: true }, this.barText, this.bar);
    this.facts = h("dl", { class: "facts", hidden: true });
    this.family = h("p", { class: "family", hidden: true });
    this.archives = new Archives(this.key, this.page.isOpen);
    const lacking = isProject ? "This server exports no projects." : "The snapshot was taken without this group's rows, so it cannot be exported.";
    const why = line.exportable ? "This token may only read, so it cannot start an export." : lacking;
    this.mayExport = this.page.mayExport && line.exportable;
    const start = this.mayExport ? this.form : h("p", { class: "note" }, why);
    this.panel.replaceChildren(start, this.refusal, this.progress, this.error, this.note, this.family, this.facts, this.archives.element);
  }

  async submit(event) {
    event.preventDefault();
    const accepted = await this.order(this.button, () => startExport(this.key, this.batched.checked, this.subgroups.checked, this.state !== "none"));
    if (accepted) announce("The export is accepted.");
  }

  /** Takes back what waits or runs, of what lies in the group and is exported with it, too. */
  async takeBack() {
    const done = await this.order(this.cancel, () => cancelExport(this.key, this.othersUnderWay));
    if (!done) return;
    announce("The export is cancelled.");
    // The button that had the focus goes away.
    this.button.focus();
  }

  /** Sends an order of a button; true where the server takes it. */
  async order(button, send) {
    this.refusal.hidden = true;
    // Not `disabled`: that would take the focus away from who uses the keyboard.
    if (button.getAttribute("aria-disabled") === "true") return false;
    button.setAttribute("aria-disabled", "true");
    try {
      await send();
    } catch (error) {
      if (this.abort.signal.aborted) return false;
      const again = error.retryAfter === undefined || error.retryAfter === null ? "" : ` Try again in ${duration(error.retryAfter * 1000)}.`;
      setText(this.refusal, `${error.message}.${again}`.replace("..", "."));
      this.refusal.hidden = false;
      return false;
    } finally {
      button.removeAttribute("aria-disabled");
    }
    this.start();
    return true;
  }

  showExport(overview) {
    const { state, progress } = overview;
    const isUnderWay = state === "waiting" || state === "running";
    if (this.mayExport) {
      const { subgroups_under_way: subgroups, projects_under_way: projects } = overview;
      this.othersUnderWay = subgroups + projects > 0;
      this.cancel.hidden = !isUnderWay;
      setText(this.cancel, this.othersUnderWay ? `Cancel with ${countedFamily(subgroups, projects)}` : "Cancel");
      setText(this.button, isUnderWay ? "Start anew" : state === null ? "Export" : "Export again");
      setAttribute(this.button, "class", isUnderWay ? "secondary" : "primary");
    }
    this.progress.hidden = !isUnderWay;
    if (isUnderWay) this.showProgress(overview);
    this.error.hidden = !overview.error;
    if (overview.error) this.showError(overview.error);
    const older = overview.older_complete && (isUnderWay || state === "failed");
    this.note.hidden = !older;
    if (older) setText(this.note, "An older export is complete; its files can be had until a newer one has them.");
    this.facts.hidden = isUnderWay || !progress;
    if (!this.facts.hidden) this.showFacts(overview);
    this.showFamily(overview.family);
    this.archives.show(overview);
  }

  /** Where the exports of the group and of all that lies in it are. */
  showFamily(family) {
    const states = family ? ["finished", "running", "waiting", "failed"].filter((state) => family[state] > 0) : [];
    this.family.hidden = states.length === 0;
    if (states.length === 0) return;
    const all = countedFamily(family.groups - 1, family.projects);
    const parts = states.map((state) => `${count(family[state])} ${state}`);
    const none = family.groups + family.projects - states.reduce((sum, state) => sum + family[state], 0);
    if (none > 0) parts.push(`${count(none)} not exported`);
    setText(this.family, `This group with ${all}: ${parts.join(", ")}.`);
  }

  showError(text) {
    if (this.error.textContent === visible(text)) return;
    this.error.replaceChildren(h("pre", { tabindex: 0, role: "region", "aria-label": "Error" }, text));
  }

  showProgress(overview) {
    const { progress } = overview;
    const set = (value) => (value === null ? this.bar.removeAttribute("value") : setAttribute(this.bar, "value", value));
    if (overview.state === "waiting" || !progress || progress.phase === "waiting") {
      set(null);
      const text = this.summary(overview);
      setText(this.barText, text[0].toUpperCase() + text.slice(1));
    } else if (progress.phase === "reading") {
      const whole = progress.snapshot_bytes;
      set(whole ? percent(progress.read_bytes, whole) : null);
      const table = progress.table ? `, table ${progress.table}` : "";
      setText(this.barText, `Step 1 of 2: reading the snapshot, ${bytes(progress.read_bytes)}${whole ? ` of ${bytes(whole)}` : ""}${table} · ${duration(progress.elapsed_ms)}`);
    } else {
      set(percent(progress.rendered_rows, progress.expected_rows));
      setText(
        this.barText,
        `Step 2 of 2: writing relations, ${count(progress.rendered_rows)} of ${counted(progress.expected_rows, "row")} · ${duration(progress.elapsed_ms)}`,
      );
    }
  }

  showFacts(overview) {
    const all = totals(overview);
    const { progress, manifest, batched, batch_size: size } = overview;
    const ended = manifest?.finished_at;
    const key = JSON.stringify([all, progress.elapsed_ms, ended]);
    if (this.factsKey === key) return;
    this.factsKey = key;
    this.facts.replaceChildren(
      ...[
        ended ? fact("Ended", h("time", { datetime: ended }, moment(ended))) : null,
        fact("Took", duration(progress.elapsed_ms)),
        fact("Objects", count(all.objects)),
        fact("Files", count(all.files)),
        fact("NDJSON", bytes(all.ndjson)),
        fact("Compressed", bytes(all.gzip)),
        fact("Form", batched ? `batches of ${count(size)}` : "one file a relation"),
        all.failed > 0 ? fact("Failed", counted(all.failed, "relation")) : null,
      ].filter(Boolean),
    );
  }

  showRest(overview) {
    if (overview.state === null) {
      this.rest.replaceChildren();
      this.table = null;
      return;
    }
    if (!this.table) {
      this.table = new RelationsTable(this.key, this.page.isOpen);
      this.picture = new Picture();
      this.manifest = new ManifestView(this.line.full_path);
      this.rest.replaceChildren(this.table.element, this.picture.element, this.manifest.element);
    }
    this.table.show(overview);
    this.picture.show(overview);
    this.manifest.show(overview.manifest, overview.partial);
  }
}
