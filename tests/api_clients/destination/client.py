"""The source as a destination's clients see it: REST and GraphQL, with GitLab's parameters, headers, retries and checks."""

import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

RETRIABLE = (429, 500, 502, 503, 504)
ATTEMPTS = 10
SECONDS = 60
SIZE_LIMIT = 5120 << 20


class Refused(Exception):
    """GitLab would not take this answer."""


def check(is_right, what):
    if not is_right:
        raise Refused(what)


class Source:
    """A source, its token, and what was asked of it."""

    def __init__(self, url, token, release):
        self.url, self.token, self.release = url, token, release
        self.lock = threading.Lock()
        self.requests, self.retries, self.slowest = [], [], 0.0

    def open(self, method, path, query, headers=None, body=None, final=()):
        """Asks; codes of `final` are handed back, others that are no success end it or are tried again."""
        address = self.url + path
        if query:
            address += "?" + urllib.parse.urlencode(query)
        shown = {key: value for key, value in (query or {}).items() if key not in ("private_token", "page", "per_page")}
        line = f"{method} {path}" + (f"?{urllib.parse.urlencode(shown)}" if shown else "")
        for _ in range(ATTEMPTS):
            with self.lock:
                self.requests.append(line)
            request = urllib.request.Request(address, method=method, headers=headers or {}, data=body)
            started = time.monotonic()
            try:
                answer = urllib.request.urlopen(request, timeout=SECONDS)
            except urllib.error.HTTPError as error:
                if error.code in final:
                    return error
                said = f"{line}: {error.code} {error.read()[:500]}"
                if error.code not in RETRIABLE:
                    raise Refused(said) from None
                wait = float(error.headers.get("retry-after", 30 if error.code == 429 else 2))
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                said, wait = f"{line}: {error}", 2
            else:
                with self.lock:
                    self.slowest = max(self.slowest, time.monotonic() - started)
                return answer
            with self.lock:
                self.retries.append(said)
            time.sleep(min(wait, 2))
        raise Refused(f"{line}: no answer after {ATTEMPTS} attempts")

    def rest(self, path, query=None, method="GET", final=()):
        """The token is in the query on every request, and so is a page, wanted or not. Returns the code, too."""
        query = {"page": 1, "per_page": 30, "private_token": self.token, **(query or {})}
        body = b"" if method == "POST" else None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        answer = self.open(method, "/api/v4" + path, query, headers, body, final)
        code = getattr(answer, "status", None) or answer.code
        check(200 <= code < 300 or code in final, f"{path}: {code}")
        kind = answer.headers.get_content_type()
        check(kind == "application/json", f"{path}: {kind}")
        return json.load(answer), answer, code

    def get(self, path, query=None):
        return self.rest(path, query)[0]

    def instance(self, path):
        """Three addresses are asked without a page, and with a content type that a GET has no use for."""
        headers = {"Content-Type": "application/json"}
        answer = self.open("GET", "/api/v4" + path, {"private_token": self.token}, headers)
        check(answer.headers.get_content_type() == "application/json", f"{path}: {answer.headers['content-type']}")
        return json.load(answer)

    def metadata(self):
        """18.9 asks /version first, and /metadata only after a failure."""
        return self.instance("/version" if self.release < (19, 0) else "/metadata")

    def paged(self, path):
        rows, page = [], ""
        while True:
            found, answer, _ = self.rest(path, {"page": page, "per_page": 100})
            check(isinstance(found, list), f"{path}: no list")
            rows += found
            page = answer.headers.get("x-next-page")
            if not page:
                return rows

    def graphql(self, query, variables):
        body = json.dumps({"query": query, "operationName": None, "variables": variables}).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        answer = self.open("POST", "/api/graphql", None, headers, body)
        check(answer.headers.get_content_type() == "application/json", f"GraphQL: {answer.headers['content-type']}")
        found = json.load(answer)
        # `errors` is never read; what is missing in `data` is taken as not there. A test is stricter.
        check("errors" not in found, f"GraphQL: {found}")
        return found["data"]

    def connection(self, query, full_path, *keys):
        """Pages of 500, of which the server gives as many as it likes."""
        rows, cursor = [], None
        while True:
            found = self.graphql(query, {"full_path": full_path, "cursor": cursor, "per_page": 500})
            for key in keys:
                found = found[key]
            rows += found["nodes"]
            if not found["page_info"]["has_next_page"]:
                return rows
            cursor = found["page_info"]["next_page"]

    def export(self, entity):
        """Starts the export of `groups/1` or `projects/1`: 202 and JSON."""
        _, _, code = self.rest(f"/{entity}/export_relations", {"batched": "true"}, "POST")
        check(code == 202, f"POST of {entity}: {code}")

    def no_status(self, entity, pipeline, or_any=False):
        """A pipeline without a relation asks for its status, too, and goes on when there is none."""
        path = f"/{entity}/export_relations/status"
        found, _, code = self.rest(path, {"relation": pipeline}, final=(404,))
        if or_any and code == 200:
            check(found["relation"] == pipeline, f"{path} of {pipeline}: {found}")
            return
        check(code == 404, f"{path} of {pipeline}: {code} {found}")
        check(found == {"message": "Export not found"}, f"{path} of {pipeline}: {found}")

    def status(self, entity, relation):
        """Waits for a relation. GitLab gives up on null and on a list without it; a 404 fails the pipeline."""
        while True:
            found = self.get(f"/{entity}/export_relations/status", {"relation": relation})
            if isinstance(found, list):
                found = next((row for row in found if row["relation"] == relation), None)
            check(found is not None, f"{entity} {relation}: no status, which is taken for one that never comes")
            check(found["relation"] == relation, f"{relation}: {found}")
            check(found["status"] != -1, f"{entity} {relation}: {found['error']}")
            if found["status"] == 1:
                return found
            check(found["status"] in (0, -2), f"{entity} {relation}: {found}")
            time.sleep(0.05)

    def packed(self, entity, relation, batch=None):
        """The bytes of a file, as they come."""
        query = {"relation": relation, "page": 1, "per_page": 30, "private_token": self.token}
        if batch is not None:
            query |= {"batched": "true", "batch_number": batch}
        path = f"/api/v4/{entity}/export_relations/download"
        answer = self.open("GET", path, query, {"Accept-Encoding": "identity"})
        check(answer.status == 200, f"{relation}: {answer.status}")
        # The whole header, not only the type.
        kind = answer.headers["content-type"]
        check(kind in ("application/gzip", "application/octet-stream"), f"{relation}: {kind}")
        packed = answer.read()
        check(len(packed) <= SIZE_LIMIT, f"{relation}: too large")
        length = answer.headers["content-length"]
        check(length is None or len(packed) == int(length), f"{relation}: broken off")
        check(packed[:2] == b"\x1f\x8b", f"{entity} {relation}: no gzip")
        return packed


def global_id(found, kind):
    number = re.fullmatch(rf"gid://gitlab/{kind}/(\d+)", found["id"])
    check(number, f"no global id: {found['id']}")
    return number[1]
