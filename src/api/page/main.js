// The page: who asks, the groups and projects at the side, and the one that the address names.

import { announce, byId, h, setText, visible } from "./dom.js";
import { counted, moment } from "./format.js";
import { EntityView } from "./entity.js";
import { Silence, ask, onTokenWanted, setToken, token } from "./server.js";
import { EntityTree } from "./tree.js";

const SEARCH_DELAY = 200;
const RETRY_DELAY = 2000;

const main = byId("main");
const state = { mayExport: false, isOpen: false, tree: null, results: null, view: null };

// Who asks.

const dialog = byId("token-dialog");

function wantToken(why) {
  setText(byId("token-why"), why ?? "");
  byId("token-forget").hidden = token() === null;
  if (!dialog.open) {
    byId("token").value = "";
    dialog.showModal();
    byId("token").focus();
  }
}

onTokenWanted((why) => wantToken(why));

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(byId("token").value.trim());
  byId("token").value = "";
  dialog.close();
  begin();
});
byId("token-forget").addEventListener("click", () => {
  setToken(null);
  dialog.close();
  begin();
});
byId("token-button").addEventListener("click", () => wantToken(null));

// The beginning: the token, the version, the groups.

function outage(text) {
  byId("outage").hidden = !text;
  setText(byId("outage"), text ?? "");
}

/** With `isRetry` what says that the server is waited for stays until there is something else to show. */
async function begin(isRetry = false) {
  state.view?.close();
  state.view = null;
  if (!isRetry) main.replaceChildren();
  byId("tree").replaceChildren();
  state.tree?.close();
  state.tree = null;
  try {
    const self = await ask("./api/v4/personal_access_tokens/self");
    const version = await ask("./api/v4/version");
    const snapshot = await ask("./-/relexport/snapshot");
    outage(null);
    state.isOpen = token() === null;
    state.mayExport = self.scopes.includes("api");
    byId("token-button").hidden = state.isOpen;
    const rights = state.mayExport ? "" : ", may only read";
    setText(byId("who"), state.isOpen ? "" : `${self.name}${rights}`);
    setText(byId("snapshot"), snapshot.source);
    // As the snapshot writes it itself; else what its file says.
    const { taken_at: taken, changed_at: changed } = snapshot;
    const plain = taken?.replace(/\.[0-9]+/, "").replace(/ ?Z$/, " UTC");
    setText(byId("taken"), taken ? `taken ${plain}` : changed ? `file of ${moment(changed)}` : "");
    setText(byId("instance"), `GitLab ${version.version.replace(/-(ee|ce)$/, "")} ${version.enterprise ? "Enterprise" : "Community"} Edition`);
    state.tree = new EntityTree("All groups and projects", {}, choose);
    byId("tree").replaceChildren(state.tree.element);
    const total = await state.tree.load();
    if (total === 0) byId("tree").append(h("p", { class: "empty" }, "There are no groups here."));
    if (byId("search").value) search();
    route();
  } catch (error) {
    if (error.status === 401) {
      byId("token-button").hidden = false;
      setText(byId("token-button"), "Enter a token");
      main.replaceChildren(notice("A token is needed", "The groups of this server are shown with a personal access token."));
      return;
    }
    setText(byId("token-button"), "Change token");
    if (!(error instanceof Silence) && error.status !== 503) {
      main.replaceChildren(notice("The server refused this", error.message));
      return;
    }
    outage(error.message);
    main.replaceChildren(notice("One moment", "This page goes on by itself as soon as the server is there."));
    setTimeout(() => begin(true), (error.retryAfter ?? 0) * 1000 || RETRY_DELAY);
    return;
  }
  setText(byId("token-button"), "Change token");
}

// Search.

let searchTimer = 0;

function search() {
  state.results?.close();
  state.results = null;
  const wanted = byId("search").value.trim();
  if (!state.tree) return;
  if (!wanted) {
    setText(byId("found"), "");
    byId("tree").replaceChildren(state.tree.element);
    return;
  }
  const results = new EntityTree(`Groups and projects that match ${wanted}`, { search: wanted }, choose, { showPaths: true });
  state.results = results;
  results.load().then(
    (total) => {
      if (state.results !== results) return;
      if (state.view) results.select(state.view.key);
      setText(byId("found"), total === 0 ? "Nothing matches" : counted(total, "match", "matches"));
      byId("tree").replaceChildren(results.element);
    },
    (error) => state.results === results && setText(byId("found"), error.message),
  );
}

byId("search").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(search, SEARCH_DELAY);
});
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") {
    event.preventDefault();
    (state.results ?? state.tree)?.enter();
  } else if (event.key === "Escape" && byId("search").value) {
    event.preventDefault();
    byId("search").value = "";
    search();
  }
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, dialog");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("search").focus();
  }
});

// What the address names.

function choose(key) {
  const address = `#/${key}`;
  if (location.hash === address) route();
  else location.hash = address;
}

function trees() {
  return [state.tree, state.results].filter(Boolean);
}

function notice(title, text) {
  return h("section", { class: "notice" }, h("h1", { tabindex: -1 }, title), h("p", {}, text));
}

function route() {
  if (!state.tree) return;
  const named = /^#\/(groups|projects)\/(.+)$/.exec(location.hash);
  if (!named) {
    state.view?.close();
    state.view = null;
    document.body.dataset.shows = "groups";
    document.title = "relexport";
    for (const tree of trees()) tree.select(null);
    main.replaceChildren(notice("Choose a group or project", "Its relations, its exports and their files appear here. Nothing is read from the snapshot before you start an export."));
    return;
  }
  const kind = named[1];
  let id = named[2];
  try {
    id = decodeURIComponent(id);
  } catch {
    // It is no address that this page has made; the server says that there is no such group.
  }
  if (state.view?.named === id && state.view.kind === kind) return;
  state.view?.close();
  document.body.dataset.shows = "group";
  const view = new EntityView(kind, id, {
    mayExport: state.mayExport,
    isOpen: state.isOpen,
    outage,
    shown: (overview) => {
      const { line } = view;
      document.title = `${visible(line.full_path)} – relexport`;
      for (const tree of trees()) tree.select(view.key);
      state.tree.reveal(line);
      announce(`${line.name}: ${view.summary(overview)}`);
      // Where the side is hidden on a narrow screen, the focus must not stay in it.
      if (!byId("tree").checkVisibility()) view.heading.focus();
    },
    changed: (overview) => {
      for (const tree of trees()) tree.mark(view.key, overview.state);
    },
  });
  state.view = view;
  main.replaceChildren(view.element);
  view.start();
}

window.addEventListener("hashchange", () => {
  if (location.hash !== "#main") route();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  (main.querySelector("h1") ?? main).focus();
});

begin();
