// The tree of groups and projects. Only what is opened is asked for, a page at a time, so a million of them cost nothing.

import { announce, h, icon, setAttribute, setText } from "./dom.js";
import { count, countedFamily } from "./format.js";
import { entity, keyOf, lines } from "./server.js";

// An item is its line alone; its level is beside it in the same list item, and told by aria-level. So an item's name is what
// its line says, whatever is open below it.

const STATES = { waiting: "waits for its export", running: "is being exported", finished: "exported", failed: "export failed" };

/** A tree over what matches `params`; `choose(key)` is called with what the user takes. */
export class EntityTree {
  constructor(label, params, choose, { showPaths = false } = {}) {
    this.choose = choose;
    this.showPaths = showPaths;
    this.items = new Map();
    this.chosen = null;
    this.abort = new AbortController();
    this.element = h("ul", { role: "tree", "aria-label": label, class: "tree", keydown: (event) => this.key(event), click: (event) => this.click(event) });
    this.root = { list: this.element, params, level: 1 };
  }

  /** Loads the first page; gives the number of lines. */
  load() {
    return this.page(this.root, 1);
  }

  /** Stops what is under way. */
  close() {
    this.abort.abort();
  }

  async page(branch, page) {
    const list = branch.list;
    setAttribute(list, "aria-busy", "true");
    try {
      const found = await lines(branch.params, page, this.abort.signal);
      const hadFocus = branch.more && branch.more === document.activeElement;
      branch.more?.parentElement.remove();
      branch.more = null;
      const before = list.children.length;
      const added = found.lines.map((line, index) => this.item(line, branch, before + index + 1, found.total));
      list.append(...added.map((item) => item.parentElement));
      const left = found.total - list.children.length;
      if (found.next && left > 0) {
        branch.more = this.action(branch, `Show ${count(Math.min(100, left))} more of ${count(left)}`, () => this.page(branch, found.next));
        list.append(branch.more.parentElement);
      }
      if (hadFocus && added.length > 0) this.focus(added[0]);
      this.keepOneStop();
      return found.total;
    } catch (error) {
      if (error.name === "AbortError") return 0;
      branch.more?.parentElement.remove();
      branch.more = this.action(branch, `${error.message} Try again`, () => this.page(branch, page));
      list.append(branch.more.parentElement);
      this.keepOneStop();
      if (branch === this.root && page === 1) throw error;
      announce(error.message);
      return 0;
    } finally {
      setAttribute(list, "aria-busy", null);
    }
  }

  /** A line that does something to its level, such as showing more of it. */
  action(branch, text, run) {
    const item = h("span", { class: "row more", role: "treeitem", tabindex: -1, "aria-level": branch.level }, text);
    item.run = run;
    indent(item, branch.level);
    h("li", { role: "none" }, item);
    return item;
  }

  item(line, branch, position, total) {
    const isProject = line.kind === "project";
    const { subgroups_count: subgroups = 0, projects_count: projects = 0 } = line;
    const isOpenable = subgroups + projects > 0;
    const dot = h("span", { class: "dot", "aria-hidden": "true" });
    const told = h("span", { class: "unseen" });
    const path = this.showPaths ? h("span", { class: "path" }, line.full_path) : h("span", { class: "unseen" }, `, ${line.full_path}`);
    const words = countedFamily(subgroups, projects);
    const [first, ...rest] = words.split(" ");
    // Who sees it reads how many there are of both; who hears it, how many of each.
    const isOneKind = subgroups === 0 || projects === 0;
    const shown = isOneKind ? [first, h("span", { class: "unseen" }, ` ${rest.join(" ")}`)] : [h("span", { "aria-hidden": "true" }, count(subgroups + projects)), h("span", { class: "unseen" }, words)];
    const size = isOpenable ? h("span", { class: "size" }, ...shown) : null;
    const item = h(
      "span",
      {
        class: "row",
        role: "treeitem",
        tabindex: -1,
        "aria-level": branch.level,
        "aria-setsize": total,
        "aria-posinset": position,
        "aria-selected": "false",
        "aria-expanded": isOpenable ? "false" : null,
      },
      h("span", { class: "twisty" }, isOpenable ? icon("chevron") : isProject ? icon("project") : null),
      h("span", { class: "names" }, h("span", { class: "name" }, line.name), path, isProject ? h("span", { class: "unseen" }, ", project") : null),
      size,
      dot,
      told,
    );
    indent(item, branch.level);
    h("li", { role: "none" }, item);
    item.line = line;
    const key = keyOf(line);
    item.dot = dot;
    item.told = told;
    item.branch = { list: null, params: { parent_id: line.id }, level: branch.level + 1 };
    this.items.set(key, item);
    this.mark(key, line.export);
    if (key === this.chosen) this.select(key);
    return item;
  }

  /** Shows where an export is. */
  mark(key, state) {
    const item = this.items.get(key);
    if (!item) return;
    item.dot.className = `dot ${state ? `dot-${state}` : ""}`;
    setAttribute(item.dot, "title", state ? STATES[state] : null);
    setText(item.told, state ? `, ${STATES[state]}` : "");
  }

  /** Shows what is looked at. */
  select(key) {
    this.chosen = key;
    for (const [other, item] of this.items) setAttribute(item, "aria-selected", other === key);
    this.keepOneStop();
  }

  /** Opens the levels above a line, as far as they are loaded; what is further down than the first page stays unseen. */
  async reveal(line) {
    const key = keyOf(line);
    const above = [];
    try {
      let parent = line.kind === "project" ? line.group_id : line.parent_id;
      while (parent !== null && !this.items.has(key)) {
        above.unshift(parent);
        const known = this.items.get(`groups/${parent}`);
        parent = known ? null : (await entity("groups", parent, this.abort.signal)).group.parent_id;
      }
    } catch {
      // A token may see a group without those above it.
    }
    for (const id of above) {
      const item = this.items.get(`groups/${id}`);
      if (item) await this.open(item);
    }
    const item = this.items.get(key);
    if (item && this.chosen === key && this.element.checkVisibility()) item.scrollIntoView({ block: "nearest" });
  }

  /** Just one item can be reached with Tab: that with the focus, else the chosen one, else the first. */
  keepOneStop(wanted = null) {
    const all = [...this.element.querySelectorAll('[role="treeitem"]')];
    const focused = wanted ?? all.find((item) => item === document.activeElement);
    const stop = focused ?? all.find((item) => item.line && keyOf(item.line) === this.chosen && isSeen(item)) ?? all[0];
    for (const item of all) item.tabIndex = item === stop ? 0 : -1;
  }

  focus(item) {
    this.keepOneStop(item);
    item.focus();
    item.scrollIntoView({ block: "nearest" });
  }

  /** Moves the focus to the first item. */
  enter() {
    const first = this.element.querySelector('[role="treeitem"]');
    if (first) this.focus(first);
  }

  async open(item) {
    if (item.getAttribute("aria-expanded") !== "false") return;
    item.setAttribute("aria-expanded", "true");
    if (item.branch.list) return;
    item.branch.list = h("ul", { role: "group" });
    item.parentElement.append(item.branch.list);
    await this.page(item.branch, 1);
  }

  shut(item) {
    if (item.getAttribute("aria-expanded") !== "true") return;
    if (item !== document.activeElement && item.parentElement.contains(document.activeElement)) this.focus(item);
    item.setAttribute("aria-expanded", "false");
    this.keepOneStop();
  }

  take(item) {
    if (item.run) item.run();
    else this.choose(keyOf(item.line));
  }

  click(event) {
    const item = event.target.closest('[role="treeitem"]');
    if (!item) return;
    this.focus(item);
    if (event.target.closest(".twisty") && item.hasAttribute("aria-expanded")) {
      if (item.getAttribute("aria-expanded") === "true") this.shut(item);
      else this.open(item);
    } else {
      this.take(item);
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const item = event.target.closest('[role="treeitem"]');
    if (!item) return;
    const seen = [...this.element.querySelectorAll('[role="treeitem"]')].filter(isSeen);
    const at = seen.indexOf(item);
    const go = (next) => next && this.focus(next);
    const keys = {
      ArrowDown: () => go(seen[at + 1]),
      ArrowUp: () => go(seen[at - 1]),
      Home: () => go(seen[0]),
      End: () => go(seen.at(-1)),
      Enter: () => this.take(item),
      " ": () => this.take(item),
      ArrowRight: () => {
        if (item.getAttribute("aria-expanded") === "true") go(item.nextElementSibling?.querySelector('[role="treeitem"]'));
        else if (item.line) this.open(item);
      },
      ArrowLeft: () => {
        if (item.getAttribute("aria-expanded") === "true") this.shut(item);
        else go(above(item));
      },
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** Levels beyond the eighth are not set in further: a deep tree must still be readable on a narrow screen. */
function indent(row, level) {
  row.style.setProperty("--level", Math.min(level, 8) - 1);
}

/** The item that an item is below, or null. */
function above(item) {
  return item.closest('[role="group"]')?.previousElementSibling ?? null;
}

function isSeen(item) {
  for (let over = above(item); over; over = above(over)) {
    if (over.getAttribute("aria-expanded") === "false") return false;
  }
  return true;
}
