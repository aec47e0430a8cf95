// A whole export as one archive: of the group or project alone, and of a group with all that lies in it.

import { announce, h, icon, setText } from "./dom.js";
import { bytes, countedFamily } from "./format.js";
import { archiveAddress, save } from "./server.js";

export class Archives {
  /** With `isOpen` a plain link is enough; else a button sends the token. */
  constructor(key, isOpen) {
    Object.assign(this, { key, isOpen, shown: "" });
    this.problem = h("p", { class: "problem small", role: "alert", hidden: true });
    this.list = h("div", { class: "archives" });
    this.element = h("div", { hidden: true }, this.list, this.problem);
  }

  show(overview) {
    const { archive, archive_with_subgroups: tree } = overview;
    const shown = JSON.stringify([archive, tree]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.element.hidden = !archive && !tree;
    const all = [
      archive && this.offer(`All files as one archive (${bytes(archive.bytes)})`, false),
      tree && this.offer(`With ${countedFamily(tree.groups - 1, tree.projects)} (${bytes(tree.bytes)})`, true),
    ];
    this.list.replaceChildren(...all.filter(Boolean));
  }

  offer(text, subgroups) {
    const address = archiveAddress(this.key, subgroups);
    if (this.isOpen) return h("a", { class: "button", href: address, download: true }, icon("down"), text);
    const button = h("button", { class: "secondary", type: "button", click: () => this.fetch(button, address, text) }, icon("down"), text);
    return button;
  }

  async fetch(button, address, text) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    this.problem.hidden = true;
    announce(`Fetching: ${text}`);
    try {
      await save(address, "export.tar");
    } catch (error) {
      setText(this.problem, error.message);
      this.problem.hidden = false;
    } finally {
      button.removeAttribute("aria-busy");
    }
  }
}
