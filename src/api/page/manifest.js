// The manifest: where the export came from, and the whole of it as JSON.

import { announce, h, setText } from "./dom.js";
import { moment } from "./format.js";
import { saveBlob } from "./server.js";

export class ManifestView {
  constructor(fullPath) {
    this.fullPath = fullPath;
    this.facts = h("dl", { class: "facts" });
    this.warnings = h("ul", { class: "warnings" });
    this.json = h("pre", { class: "json", tabindex: 0, role: "region", "aria-label": "Manifest as JSON" });
    this.copied = h("span", { class: "hint" });
    this.element = h(
      "section",
      { class: "card", "aria-labelledby": "manifest-title", hidden: true },
      h("h2", { id: "manifest-title" }, "Manifest"),
      this.facts,
      this.warnings,
      h(
        "details",
        {},
        h("summary", {}, "As JSON"),
        h(
          "div",
          { class: "actions" },
          h("button", { class: "secondary", type: "button", click: () => this.copy() }, "Copy"),
          h("button", { class: "secondary", type: "button", click: () => this.save() }, "Save"),
          this.copied,
        ),
        this.json,
      ),
    );
  }

  /** `partial` is what of the export is partial, in sentences. */
  show(manifest, partial) {
    this.element.hidden = !manifest;
    if (!manifest) return;
    const text = JSON.stringify(manifest, null, 2);
    if (this.text === text) return;
    this.text = text;
    const { snapshot, pipeline, options } = manifest;
    const facts = [
      ["Snapshot", `${snapshot.source} (${snapshot.kind})`],
      ["GitLab", snapshot.gitlab_version],
      ["PostgreSQL", snapshot.server_version],
      ["Pipeline", pipeline.name],
      ["Edition", options.edition],
      ["Started", moment(manifest.started_at)],
      ["Written by", manifest.generator],
    ].filter(([, value]) => value);
    this.facts.replaceChildren(...facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
    this.warnings.replaceChildren(...(partial ?? []).map((finding) => h("li", {}, finding.says)));
    setText(this.json, text);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.text);
      setText(this.copied, "Copied");
    } catch {
      // Without TLS a browser may refuse the clipboard.
      getSelection().selectAllChildren(this.json);
      setText(this.copied, "Selected: copy it with the keyboard");
    }
    announce(this.copied.textContent);
  }

  save() {
    const name = `${this.fullPath.replace(/[^A-Za-z0-9._-]+/g, "_")}.manifest.json`;
    saveBlob(new Blob([this.text, "\n"], { type: "application/json" }), name);
  }
}
