// Requests to the server that this page is from, with the token of this tab.

const KEY = "relexport.token";

/** An answer that is no success, with the server's own words. */
export class Refusal extends Error {
  constructor(status, message, retryAfter) {
    super(message);
    this.status = status;
    /** Seconds, or null. */
    this.retryAfter = retryAfter;
  }
}

/** No answer at all. */
export class Silence extends Error {}

let whenTokenIsWanted = () => {};

/** Registers what is to happen when the server wants another token. It is told why. */
export function onTokenWanted(listener) {
  whenTokenIsWanted = listener;
}

export function token() {
  return sessionStorage.getItem(KEY);
}

export function setToken(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

function words(body, status) {
  const said = body?.message ?? body?.error_description ?? body?.error;
  return typeof said === "string" ? said : `${status}: ${JSON.stringify(said ?? body)}`;
}

async function refusal(answer) {
  const text = await answer.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: `${answer.status} ${answer.statusText || text.slice(0, 200)}` };
  }
  const seconds = Number.parseInt(answer.headers.get("retry-after") ?? "", 10);
  return new Refusal(answer.status, words(body, answer.status), Number.isNaN(seconds) ? null : seconds);
}

/** Sends a request to an address below the page's; the answer is a success. */
export async function send(path, { method = "GET", signal } = {}) {
  const used = token();
  const headers = used ? { "PRIVATE-TOKEN": used } : {};
  const url = new URL(path, document.baseURI);
  let answer;
  try {
    answer = await fetch(url, { method, headers, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Silence("The server does not answer.");
  }
  if (answer.ok) return answer;
  const refused = await refusal(answer);
  // A stale answer must not ask for a token again that was replaced meanwhile.
  if (refused.status === 401 && used === token()) whenTokenIsWanted(used ? refused.message : null);
  throw refused;
}

/** The JSON of an answer. */
export async function ask(path, options) {
  return (await send(path, options)).json();
}

/** A page of groups and projects: `{ lines, total, next }`, where `next` is the next page's number or null. */
export async function lines(params, page, signal) {
  const query = new URLSearchParams({ ...params, page, per_page: 100 });
  const answer = await send(`./-/relexport/entities?${query}`, { signal });
  const found = await answer.json();
  const total = Number(answer.headers.get("x-total") ?? found.length);
  const next = answer.headers.get("x-next-page") || null;
  return { lines: found, total, next };
}

/** What names a group or project in addresses: `groups/50`, `projects/71`. Their ids may be equal. */
export function keyOf(line) {
  return `${line.kind}s/${line.id}`;
}

/** Everything about one group or project, by its kind (`groups`, `projects`) and its id or path. */
export function entity(kind, named, signal) {
  return ask(`./-/relexport/${kind}/${encodeURIComponent(named)}`, { signal });
}

/** Asks for an export; where wanted of all that lies in the group, too, and where wanted though there is one. */
export function startExport(key, batched, subgroups, anew) {
  const own = `./-/relexport/${key}/export?batched=${batched}${subgroups ? "&subgroups=true" : ""}${anew ? "&anew=true" : ""}`;
  const path = subgroups || anew ? own : `./api/v4/${key}/export_relations?batched=${batched}`;
  return ask(path, { method: "POST" });
}

/** Takes an export back, those of all that lies in the group, too, where wanted. */
export function cancelExport(key, subgroups) {
  return ask(`./-/relexport/${key}/export?subgroups=${subgroups}`, { method: "DELETE" });
}

/** The address of a whole export as one archive. */
export function archiveAddress(key, subgroups) {
  return `./-/relexport/${key}/archive?subgroups=${subgroups}`;
}

/** The address of a relation's file, or of one batch. */
export function fileAddress(key, relation, batch) {
  const query = new URLSearchParams({ relation });
  if (batch !== null) {
    query.set("batched", "true");
    query.set("batch_number", batch);
  }
  return `./api/v4/${key}/export_relations/download?${query}`;
}

/** Fetches a file with the token and hands it to the browser to save. */
export async function save(path, fallbackName) {
  const answer = await send(path);
  const named = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "");
  saveBlob(await answer.blob(), named ? named[1] : fallbackName);
}

/** Lets the browser save what is in memory. */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the blob after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
