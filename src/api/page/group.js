// One group: its export, live while it runs.

import { Archives } from "./archive.js";
import { announce, h, icon, setAttribute, setText } from "./dom.js";
import { bytes, count, counted, duration, moment, percent } from "./format.js";
import { ManifestView } from "./manifest.js";
import { Picture } from "./picture.js";
import { RelationsTable } from "./relations.js";
import { Silence, cancelExport, group, startExport } from "./server.js";

const POLL_DELAY = 500;
const HIDDEN_POLL_DELAY = 5000;
const OUTAGE_DELAY = 2000;

const WORDS = { waiting: "Waiting", running: "Running", finished: "Finished", failed: "Failed", none: "Not exported" };

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

export class GroupView {
  /** `named` is an id or a full path; `page` is what the page offers. */
  constructor(named, page) {
    this.named = named;
    this.page = page;
    this.id = null;
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
      const overview = await group(this.id ?? this.named, this.abort.signal);
      if (this.abort.signal.aborted || this.asked !== asked) return;
      this.page.outage(null);
      this.show(overview);
      if (overview.state === "waiting" || overview.state === "running") delay = document.hidden ? HIDDEN_POLL_DELAY : POLL_DELAY;
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
    const text = error.status === 404 ? "There is no such group, or this token may not see it." : "The server refused this.";
    setText(this.heading, error.message);
    this.panel.replaceChildren(h("p", {}, text));
    announce(`${error.message} ${text}`);
  }

  /** One sentence on where the export is. */
  summary(overview) {
    const { state, progress, groups_before: before } = overview;
    if (state === null) return "not exported yet";
    if (state === "waiting") return before > 0 ? `waiting behind ${counted(before, "group")}` : "waiting for its turn";
    if (state === "running") {
      return progress?.phase === "rendering" ? `writing relations, ${percent(progress.rendered_rows, progress.expected_rows)} %` : "reading the snapshot";
    }
    const all = totals(overview);
    if (state === "failed") return all.failed > 0 ? `${counted(all.failed, "relation")} failed` : "the export failed";
    return `finished, ${counted(all.objects, "object")}`;
  }

  show(overview) {
    const isFirst = this.id === null;
    if (isFirst) {
      this.id = overview.group.id;
      this.frame(overview);
    }
    this.page.changed(overview);
    const isNews = this.isNews(overview);
    if (isFirst) this.page.shown(overview);
    else if (isNews) announce(`${overview.group.name}: ${this.summary(overview)}`);
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

  frame(overview) {
    const { group } = overview;
    setText(this.heading, group.name);
    const parts = group.full_path.split("/");
    const trail = parts.map((part, index) => {
      const path = parts.slice(0, index + 1).join("/");
      const isLink = index < parts.length - 1 && !/^[0-9]+$/.test(path);
      const shown = isLink ? h("a", { href: `#/groups/${encodeURIComponent(path)}` }, part) : part;
      return index === 0 ? [shown] : [h("span", { class: "slash", "aria-hidden": "true" }, "/"), shown];
    });
    this.trail.replaceChildren(...trail.flat());
    const subgroups = group.subgroups_count > 0 ? ` · ${counted(group.subgroups_count, "subgroup")}` : "";
    setText(this.meta, `Group ${group.id}${subgroups}`);

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
        group.subgroups_count > 0 ? choice(this.subgroups, "With subgroups", "all groups below this one, too, in one read of the snapshot") : null,
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
    this.archives = new Archives(this.id, this.page.isOpen);
    const why = group.exportable ? "This token may only read, so it cannot start an export." : "The snapshot was taken without this group's rows, so it cannot be exported.";
    this.mayExport = this.page.mayExport && group.exportable;
    const start = this.mayExport ? this.form : h("p", { class: "note" }, why);
    this.panel.replaceChildren(start, this.refusal, this.progress, this.error, this.note, this.facts, this.archives.element);
  }

  async submit(event) {
    event.preventDefault();
    const accepted = await this.order(this.button, () => startExport(this.id, this.batched.checked, this.subgroups.checked));
    if (accepted) announce("The export is accepted.");
  }

  /** Takes back what waits or runs, of the groups below that were asked for with it, too. */
  async takeBack() {
    const done = await this.order(this.cancel, () => cancelExport(this.id, this.subgroupsUnderWay > 0));
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
      this.subgroupsUnderWay = overview.subgroups_under_way;
      this.cancel.hidden = !isUnderWay;
      setText(this.cancel, this.subgroupsUnderWay > 0 ? `Cancel with ${counted(this.subgroupsUnderWay, "subgroup")}` : "Cancel");
      setText(this.button, isUnderWay ? "Start anew" : state === null ? "Export" : "Export again");
      setAttribute(this.button, "class", isUnderWay ? "secondary" : "primary");
    }
    this.progress.hidden = !isUnderWay;
    if (isUnderWay) this.showProgress(overview);
    this.error.hidden = !overview.error;
    if (overview.error) this.showError(overview.error);
    const older = overview.older_complete && (isUnderWay || state === "failed");
    this.note.hidden = !older;
    if (older) setText(this.note, "An older export of this group is complete; its files can be had until a newer one has them.");
    this.facts.hidden = isUnderWay || !progress;
    if (!this.facts.hidden) this.showFacts(overview);
    this.archives.show(overview);
  }

  showError(text) {
    if (this.error.textContent === text) return;
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
      this.table = new RelationsTable(this.id, this.page.isOpen);
      this.picture = new Picture();
      this.manifest = new ManifestView(overview.group.full_path);
      this.rest.replaceChildren(this.table.element, this.picture.element, this.manifest.element);
    }
    this.table.show(overview);
    this.picture.show(overview);
    this.manifest.show(overview.manifest);
  }
}
