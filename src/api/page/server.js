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

/** A page of groups: `{ groups, total, next }`, where `next` is the next page's number or null. */
export async function groups(params, page, signal) {
  const query = new URLSearchParams({ ...params, page, per_page: 100 });
  const answer = await send(`./-/relexport/groups?${query}`, { signal });
  const found = await answer.json();
  const total = Number(answer.headers.get("x-total") ?? found.length);
  const next = answer.headers.get("x-next-page") || null;
  return { groups: found, total, next };
}

/** Everything about one group, by its id or path. */
export function group(id, signal) {
  return ask(`./-/relexport/groups/${encodeURIComponent(id)}`, { signal });
}

/** Asks for an export, of the groups below, too, where wanted. */
export function startExport(id, batched, subgroups) {
  const path = subgroups ? `./-/relexport/groups/${id}/export?subgroups=true&batched=${batched}` : `./api/v4/groups/${id}/export_relations?batched=${batched}`;
  return ask(path, { method: "POST" });
}

/** Takes an export back, those of the groups below, too, where wanted. */
export function cancelExport(id, subgroups) {
  return ask(`./-/relexport/groups/${id}/export?subgroups=${subgroups}`, { method: "DELETE" });
}

/** The address of a whole export as one archive. */
export function archiveAddress(id, subgroups) {
  return `./-/relexport/groups/${id}/archive?subgroups=${subgroups}`;
}

/** The address of a relation's file, or of one batch. */
export function fileAddress(id, relation, batch) {
  const query = new URLSearchParams({ relation });
  if (batch !== null) {
    query.set("batched", "true");
    query.set("batch_number", batch);
  }
  return `./api/v4/groups/${id}/export_relations/download?${query}`;
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
