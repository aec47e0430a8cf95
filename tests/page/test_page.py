"""The page in a real browser: Debian's Chromium, headless, as a person would use it.

`tests/it/api/page.rs` runs this with the program's path in RELEXPORT. Screenshots go to `target/screenshots`.
"""

import copy
import gzip
import hashlib
import io
import json
import pathlib
import re
import tarfile
import tempfile
import unittest
import urllib.request

from playwright.sync_api import expect, sync_playwright

from servers import Server, new_token
from snapshots import BACKUP, DUMP, PROJECT, PROJECTS, Dump

SHOTS = PROJECT / "target/screenshots"
AXE = (PROJECT / "target/browser-tools/axe-core/axe.min.js").read_text(encoding="utf-8")

BIG = 8100
MANY = 230
HOSTILE_NAME = '<img src=x onerror="window.hacked=1">'
HOSTILE_PATH = "<img src=x onerror=window.hacked=1>"
HOSTILE = 9300
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}

# What is bad about the bad snapshot: the row of one label, so that labels fails, and all relations that nest it.
GOOD_LABEL = "2021-05-04 11:25:20.423\t2021-05-04 11:25:20.423\tf\t\t\tGroupLabel"
BAD_LABEL = "2021-05-04 11:25:20.423\t2021-13-04 11:25:20.423\tf\t\t\tGroupLabel"


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        dump = Dump().groups([(10_000 + i, None, f"Team {i:03}", f"team-{i:03}") for i in range(MANY)])
        dump.groups([(BIG, 4350, "Big", "acme/big"), (HOSTILE, None, HOSTILE_NAME, HOSTILE_PATH)]).labels(BIG, 12_000)
        many = dump.write(folder / "many.sql")
        bad = Dump().replace(GOOD_LABEL, BAD_LABEL).write(folder / "bad.sql")
        tokens = folder / "tokens"
        cls.token = new_token(tokens, "--name", "all")
        cls.reader = new_token(tokens, "--name", "reader", "--read-only", "--groups", "acme/platform")
        cls.servers = []
        cls.open = cls.serve(many, folder / "open", "--batch-size", "100")
        cls.bad = cls.serve(bad, folder / "bad")
        cls.guarded = cls.serve(BACKUP, folder / "guarded", "--token-file", tokens, "--relative-url-root", "/gitlab", "--batch-size", "4")
        cls.full = cls.serve(BACKUP, folder / "full", "--queue", "0")
        cls.tree = cls.serve(DUMP, folder / "tree", "--token-file", tokens)
        cls.projects = cls.serve(PROJECTS, folder / "projects")
        cls.playwright = sync_playwright().start()
        # Chromium's own sandbox needs rights that a container may not give.
        options = ["--no-sandbox", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        cls.browser = cls.playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        SHOTS.mkdir(parents=True, exist_ok=True)

    @classmethod
    def serve(cls, *args):
        server = Server(*args)
        cls.servers.append(server)
        cls.addClassCleanup(server.close)
        return server

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()
        for server in cls.servers:
            server.close()
        cls.folder.cleanup()

    def page(self, server, address="", scheme="light", size=WIDE):
        """A new window, in which nothing may go wrong unseen and which may talk to its own server alone."""
        context = self.browser.new_context(color_scheme=scheme, viewport=size, accept_downloads=True)
        context.set_default_timeout(30_000)
        self.addCleanup(context.close)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", self.console)
        page.on("request", lambda request: self.asked.append(request.url))
        self.server = server
        page.goto(server.url + address)
        return page

    def console(self, message):
        # A refused request is in the console, whatever the page makes of it.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.wrong.append(f"console: {message.text}")

    def setUp(self):
        self.wrong = []
        self.asked = []

    def tearDown(self):
        self.assertEqual(self.wrong, [])
        strange = [url for url in self.asked if not url.startswith((self.server.url, "blob:" + self.server.url[:20]))]
        self.assertEqual(strange, [])
        self.assertEqual([url for url in self.asked if "token=" in url], [])

    def shot(self, page, name, full=True):
        page.screenshot(path=SHOTS / f"{name}.png", full_page=full)

    def no_barriers(self, page, where):
        """axe-core finds nothing, and nothing is wider than the window."""
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        told = [f"{rule['id']}: {node['failureSummary']} {node['html']}" for rule in found for node in rule["nodes"]]
        self.assertEqual(told, [], where)
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, where)

    def group(self, page, name):
        expect(page.get_by_role("heading", level=1)).to_have_text(name)

    def row(self, page, relation):
        return page.locator("tr.relation").filter(has=page.get_by_role("rowheader", name=relation, exact=True))

    def downloaded(self, page, button):
        with page.expect_download() as download:
            button.click()
        return download.value.suggested_filename, pathlib.Path(download.value.path()).read_bytes()

    # The groups.

    def test_groups_are_loaded_when_they_are_wanted(self):
        page = self.page(self.open)
        items = page.get_by_role("treeitem")
        expect(items).to_have_count(101)
        # Acme, Umbrella, the hostile one and the teams.
        last = page.get_by_role("treeitem", name=re.compile("^Show"))
        expect(last).to_have_text(f"Show 100 more of {MANY + 3 - 100}")
        last.click()
        expect(items).to_have_count(201)
        last.click()
        expect(items).to_have_count(MANY + 3)
        expect(last).to_have_count(0)

        acme = page.get_by_role("treeitem", name=re.compile("^Acme"))
        expect(acme).to_have_attribute("aria-expanded", "false")
        self.assertFalse(any("parent_id" in url for url in self.asked))
        acme.locator(".twisty").click()
        expect(acme).to_have_attribute("aria-expanded", "true")
        below = page.get_by_role("group").get_by_role("treeitem")
        expect(below).to_have_count(2)
        self.assertEqual(below.locator(".name").all_text_contents(), ["Big", 'Plat\\u{9}form <&> "R\\D"'])
        expect(page.get_by_role("heading", level=1)).to_have_text("Choose a group or project")

    def test_search_finds_names_and_paths(self):
        page = self.page(self.open)
        page.keyboard.press("/")
        page.keyboard.type("team-22")
        expect(page.locator("#found")).to_have_text("10 matches")
        self.assertEqual(page.locator(".path").all_inner_texts(), [f"team-22{i}" for i in range(10)])
        self.no_barriers(page, "search")
        search = page.get_by_label("Search groups")
        search.fill("acme/platform/c")
        expect(page.locator("#found")).to_have_text("1 match")
        search.fill("no such group")
        expect(page.locator("#found")).to_have_text("Nothing matches")
        search.press("Escape")
        expect(page.get_by_role("treeitem")).to_have_count(101)

    def test_a_name_from_the_snapshot_is_never_markup(self):
        page = self.page(self.open)
        page.get_by_label("Search groups").fill("<img")
        expect(page.locator("#found")).to_have_text("1 match")
        page.get_by_role("treeitem").click()
        self.group(page, HOSTILE_NAME)
        expect(page.locator(".trail")).to_have_text(HOSTILE_PATH)
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".badge-finished")).to_be_visible()
        page.get_by_text("As JSON").click()
        expect(page.locator(".json")).to_contain_text(HOSTILE_PATH)
        self.assertEqual(page.title(), f"{HOSTILE_PATH} – relexport")
        self.assertEqual(page.locator("img").count(), 0)
        self.assertIsNone(page.evaluate("window.hacked ?? null"))

    # Exports.

    def test_an_export_of_whole_files_is_watched_and_downloaded(self):
        page = self.page(self.open, "#/groups/4351")
        self.group(page, 'Plat\\u{9}form <&> "R\\D"')
        expect(page.locator(".state")).to_have_text("Not exported")
        # The tree opens where the group is.
        expect(page.get_by_role("treeitem", selected=True)).to_contain_text("Plat")
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".state")).to_have_text("Finished")
        expect(page.locator("#live")).to_contain_text("finished")
        expect(page.get_by_role("treeitem", selected=True)).to_have_text(re.compile(", exported$"))

        labels = self.row(page, "labels")
        expected = (PROJECT / "tests/expected/group_4351/labels.ndjson").read_bytes()
        self.assertEqual(labels.locator(".cell-objects").inner_text(), str(expected.count(b"\n")))
        name, content = self.downloaded(page, labels.get_by_role("link", name="Download labels"))
        self.assertEqual(name, "labels.ndjson.gz")
        self.assertEqual(gzip.decompress(content), expected)
        expect(self.row(page, "uploads").locator(".cell-status")).to_have_text("No files")
        expect(self.row(page, "uploads").get_by_role("link")).to_have_count(0)

        chart = page.get_by_role("img", name=re.compile("^Reading took"))
        texts = chart.locator(".label").all_text_contents()
        self.assertEqual(texts[0], "Reading")
        self.assertIn("labels", texts)
        self.shot(page, "finished")

        page.get_by_text("As JSON").click()
        manifest = json.loads(page.locator(".json").inner_text())
        self.assertEqual(manifest["entities"][0]["full_path"], "acme/platform")
        name, saved = self.downloaded(page, page.get_by_role("button", name="Save"))
        self.assertEqual((name, json.loads(saved)), ("acme_platform.manifest.json", manifest))
        self.no_barriers(page, "finished")

    def test_an_export_in_batches_is_watched_live(self):
        page = self.page(self.open, f"#/groups/{BIG}")
        self.group(page, "Big")
        # Everything that the progress and the row of labels ever said.
        page.evaluate(
            """() => {
              window.said = [];
              const look = () => window.said.push(document.querySelector(".progress-text")?.textContent ?? "",
                ...[...document.querySelectorAll("tr.relation")].map((row) => row.textContent));
              new MutationObserver(look).observe(document.querySelector("main"), { childList: true, characterData: true, subtree: true });
            }"""
        )
        page.get_by_label("In batches").check()
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".state")).to_have_text("Finished", timeout=120_000)
        said = "\n".join(page.evaluate("window.said"))
        self.assertRegex(said, r"Step [12] of 2: (reading the snapshot|writing relations)")
        # Some relations have a file, some have batches, and what is offered is there.
        links = page.get_by_role("link", name=re.compile("^Download"))
        offered = {link.get_attribute("aria-label").split()[-1]: link.get_attribute("href") for link in links.all()}
        self.assertEqual(set(offered), {"members", "namespace_settings", "user_contributions", "self", "max_iids"})
        for address in offered.values():
            self.assertEqual(self.open.status(address.removeprefix("./")), 200, address)
        labels = self.row(page, "labels")
        self.assertEqual(labels.locator(".cell-objects").inner_text(), "12,000")
        toggle = labels.get_by_role("button", name="120 batches of labels")
        toggle.click()
        batches = page.get_by_role("table", name="Batches of labels").locator("tbody tr")
        expect(batches).to_have_count(100)
        page.get_by_role("button", name="Show 20 more of 20").click()
        expect(batches).to_have_count(120)
        self.assertEqual(batches.nth(119).locator(".cell-objects").inner_text(), "100")

        name, content = self.downloaded(page, page.get_by_role("link", name="Download batch 120 of labels"))
        entry = next(row for row in self.open.overview(BIG)["relations"] if row["relation"] == "labels")["batches"][119]
        self.assertEqual(hashlib.sha256(content).hexdigest(), entry["sha256"])
        self.assertEqual(batches.nth(119).locator(".cell-sha-256").inner_text(), entry["sha256"])
        self.assertEqual(gzip.decompress(content).count(b"\n"), 100)
        self.assertRegex(name, r"^labels.*\.ndjson\.gz$")

    def test_every_step_of_a_running_export_is_told(self):
        """Steps that pass too fast to be sure of are set by hand."""
        ended = self.open.export(4352, batched=True)
        running = copy.deepcopy(ended)
        running.update(state="running", manifest=None)
        for relation in running["relations"]:
            relation.update(status=0, total_objects_count=0, batches_count=0)
        labels = next(row for row in running["relations"] if row["relation"] == "labels")
        batch = {"error": None, "updated_at": "2026-01-01T00:00:00.000Z", "objects_count": 100}
        labels["batches"] = [{**batch, "batch_number": 1, "status": 1, "file": "x", "bytes": 2048, "sha256": "ab"}]
        labels["batches"] += [{**batch, "batch_number": 2, "status": 2}, {**batch, "batch_number": 3, "status": 0}]
        labels["batches_count"] = 3
        progress = {"phase": "rendering", "rendered_rows": 137, "expected_rows": 548, "reading_ms": 61_000, "elapsed_ms": 75_400, "table": None}
        progress.update(read_bytes=5_000_000, snapshot_bytes=5_000_000)
        progress["relations"] = {"labels": {"rows": 300, "rendered": 137, "bytes": 123_456, "from_ms": 61_000, "to_ms": 75_000}}
        running["progress"] = progress
        waiting = {**running, "state": "waiting", "groups_before": 3, "relations": [], "progress": None}
        reading = copy.deepcopy(running)
        reading["progress"].update(phase="reading", read_bytes=1_250_000, table="notes", relations={}, elapsed_ms=12_345)

        answer = {"now": {**ended, "state": None, "relations": [], "progress": None, "manifest": None}}
        page = self.page(self.open)
        page.route("**/-/relexport/groups/4352", lambda route: route.fulfill(json=answer["now"]))
        page.route("**/export_relations?*", lambda route: route.fulfill(status=202, json={"message": "202 Accepted"}))
        page.goto(self.open.url + "#/groups/4352")
        self.group(page, "Core")
        answer["now"] = waiting
        page.get_by_role("button", name="Export").click()
        text, bar, live = page.locator(".progress-text"), page.get_by_role("progressbar", name="Export"), page.locator("#live")
        expect(text).to_have_text("Waiting behind 3 exports")
        expect(live).to_have_text("Core: waiting behind 3 exports")
        self.assertFalse(page.evaluate("document.querySelector('.progress progress').hasAttribute('value')"))
        # The button keeps the focus: who uses the keyboard is not thrown back to the beginning.
        expect(page.get_by_role("button", name="Start anew")).to_be_focused()

        answer["now"] = reading
        expect(text).to_have_text("Step 1 of 2: reading the snapshot, 1.25 MB of 5.00 MB, table notes · 12 s")
        expect(bar).to_have_attribute("value", "25")
        expect(live).to_have_text("Core: reading the snapshot")
        expect(self.row(page, "labels").locator(".cell-status")).to_have_text("Being read")

        answer["now"] = running
        expect(text).to_have_text("Step 2 of 2: writing relations, 137 of 548 rows · 1 min 15 s")
        expect(bar).to_have_attribute("value", "25")
        expect(live).to_have_text("Core: writing relations, 25 %")
        row = self.row(page, "labels")
        expect(row.locator(".cell-status")).to_have_text("Writing, 45 %")
        expect(row.get_by_role("progressbar", name="Rows of labels")).to_have_attribute("value", "45")
        row.get_by_role("button", name="1 of 3 batches of labels").click()
        lines = page.get_by_role("table", name="Batches of labels").locator("tbody .cell-status")
        self.assertEqual(lines.all_inner_texts(), ["Finished", "Writing", "Waiting"])
        self.no_barriers(page, "running")
        self.shot(page, "running")
        page.emulate_media(color_scheme="dark")
        self.no_barriers(page, "running, dark")
        self.shot(page, "running-dark")

        # What is open stays open while the numbers change.
        labels["batches"][1].update(status=1, file="y", bytes=1, sha256="cd")
        expect(row.get_by_role("button", name="2 of 3 batches of labels")).to_be_focused()
        expect(lines).to_have_text(["Finished", "Finished", "Waiting"])

        answer["now"] = {**running, "state": "failed", "error": "the disk is full", "older_complete": True, "older_files": ["boards"]}
        expect(page.locator(".export .problem pre")).to_have_text("the disk is full")
        expect(page.locator(".note")).to_contain_text("An older export is complete")
        link = page.get_by_role("link", name="of the older export")
        self.assertEqual(link.get_attribute("aria-label"), "Download boards of the older export")
        self.no_barriers(page, "failed, with an older export")
        answer["now"]["older_files"] = []
        page.reload()
        expect(page.locator(".note")).to_be_visible()
        self.assertEqual(link.count(), 0)

        page.route("**/-/relexport/groups/4352", lambda route: route.abort())
        page.get_by_role("button", name="Export again").click()
        expect(page.locator("#outage")).to_have_text("The server does not answer. Trying again …")
        page.unroute("**/-/relexport/groups/4352")
        expect(page.locator("#outage")).to_be_hidden()
        expect(page.locator(".state")).to_have_text("Finished")

    def test_errors_are_shown_in_full(self):
        page = self.page(self.bad, "#/groups/4351")
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".state")).to_have_text("Failed")
        expect(self.row(page, "labels").locator(".cell-status")).to_have_text("Failed")
        error = page.get_by_role("region", name="Error of labels")
        relations = self.bad.overview(4351)["relations"]
        failed = [row for row in relations if row["status"] == -1]
        self.assertIn("labels", [row["relation"] for row in failed])
        told = next(row["error"] for row in failed if row["relation"] == "labels")
        for part in ["labels", "803", "updated_at", "timestamp"]:
            self.assertIn(part, told)
        self.assertEqual(error.inner_text(), told)
        self.assertEqual(page.get_by_role("region", name=re.compile("^Error of")).count(), len(failed))
        expect(page.locator("#live")).to_contain_text(f"{len(failed)} relations failed")
        # What is finished can be had all the same.
        _, content = self.downloaded(page, page.get_by_role("link", name="Download milestones"))
        self.assertEqual(gzip.decompress(content), (PROJECT / "tests/expected/group_4351/milestones.ndjson").read_bytes())
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            self.no_barriers(page, f"failed, {scheme}")
            self.shot(page, f"failed-{scheme}")

    def test_a_full_queue_is_told(self):
        page = self.page(self.full, "#/groups/4351")
        page.get_by_role("button", name="Export").click()
        refused = page.locator(".export > .problem[role=alert]")
        expect(refused).to_have_text("429 Too Many Requests: the queue of exports is full. Try again in 30 s.")
        expect(page.locator(".state")).to_have_text("Not exported")
        self.no_barriers(page, "full")

    def test_a_group_that_is_not_there_is_told(self):
        page = self.page(self.full, "#/groups/no%2Fsuch")
        self.group(page, "404 Group Not Found")
        expect(page.locator("main").get_by_text("There is no such group, or this token may not see it.")).to_be_visible()

    def test_a_server_that_is_not_ready_is_waited_for(self):
        page = self.page(self.full)
        expect(page.get_by_role("treeitem")).to_have_count(2)
        busy = {"message": "503 Service Unavailable: the groups of the snapshot are still being read"}
        page.route("**/api/v4/version", lambda route: route.fulfill(status=503, headers={"Retry-After": "1"}, json=busy))
        page.reload()
        expect(page.locator("#outage")).to_have_text(busy["message"])
        self.no_barriers(page, "not ready")
        page.unroute("**/api/v4/version")
        expect(page.get_by_role("treeitem")).to_have_count(2)
        expect(page.locator("#outage")).to_be_hidden()
        page.route("**/api/v4/version", lambda route: route.fulfill(status=403, json={"message": "403 Forbidden"}))
        page.reload()
        expect(page.locator("main")).to_have_text("The server refused this403 Forbidden")

    # Tokens. The server of these is below /gitlab.

    def test_a_token_is_asked_for_and_kept_in_the_tab_alone(self):
        page = self.page(self.guarded)
        dialog = page.get_by_role("dialog", name="Which token?")
        expect(dialog).to_be_visible()
        expect(page.get_by_role("treeitem")).to_have_count(0)
        expect(page.locator("#token-why")).to_be_hidden()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            self.no_barriers(page, f"token, {scheme}")
        self.shot(page, "token")

        field = dialog.get_by_label("Personal access token")
        expect(field).to_be_focused()
        field.fill("glpat-wrong")
        field.press("Enter")
        expect(dialog.get_by_role("alert")).to_have_text("401 Unauthorized")
        field.fill(self.token)
        field.press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.locator("#who")).to_have_text("all")
        expect(page.get_by_role("treeitem")).to_have_count(2)
        self.assertEqual(page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]"), ["", 0, 1])
        page.reload()
        expect(page.get_by_role("treeitem")).to_have_count(2)

        page.get_by_role("treeitem", name=re.compile("^Umbrella")).click()
        self.group(page, "Umbrella")
        page.get_by_label("In batches").check()
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".state")).to_have_text("Finished")
        # A link could not send the token: here it is a button.
        name, content = self.downloaded(page, self.row(page, "members").get_by_role("button", name="Download members"))
        self.assertEqual(name, "members.ndjson.gz")
        self.assertEqual(gzip.decompress(content), (PROJECT / "tests/expected/group_7001/members.ndjson").read_bytes())

        page.get_by_role("button", name="Change token").click()
        page.get_by_role("button", name="Forget the token").click()
        expect(dialog).to_be_visible()
        self.assertEqual(page.evaluate("sessionStorage.length"), 0)
        expect(page.get_by_role("treeitem")).to_have_count(0)

    def test_a_token_that_may_read_sees_its_groups_without_a_button(self):
        page = self.page(self.guarded)
        page.get_by_label("Personal access token").fill(self.reader)
        page.keyboard.press("Enter")
        expect(page.locator("#who")).to_have_text("reader, may only read")
        expect(page.get_by_role("treeitem")).to_have_count(1)
        page.get_by_role("treeitem").click()
        self.group(page, 'Plat\\u{9}form <&> "R\\D"')
        expect(page.get_by_text("This token may only read, so it cannot start an export.")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("Export"))).to_have_count(0)
        page.get_by_role("link", name="acme", exact=True).click()
        self.group(page, "404 Group Not Found")

    def test_a_token_that_ends_meanwhile_is_asked_for_again(self):
        page = self.page(self.guarded)
        page.get_by_label("Personal access token").fill(self.token)
        page.keyboard.press("Enter")
        expect(page.get_by_role("treeitem")).to_have_count(2)
        told = {"error": "invalid_token", "error_description": "Token is expired."}
        page.route("**/-/relexport/groups/4350", lambda route: route.fulfill(status=401, json=told))
        page.get_by_role("treeitem", name=re.compile("^Acme")).click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("Token is expired.")

    # Everybody.

    def test_the_keyboard_is_enough(self):
        page = self.page(self.guarded)
        expect(page.get_by_label("Personal access token")).to_be_focused()
        page.keyboard.type(self.token)
        page.keyboard.press("Enter")
        expect(page.get_by_role("treeitem")).to_have_count(2)

        def focused():
            """What has the focus, which must be seen."""
            name, outline = page.evaluate(
                """() => {
                  const element = document.activeElement;
                  const name = element.role === "treeitem" ? element.textContent : (element.getAttribute("aria-label") ?? element.id);
                  return [name, getComputedStyle(element).outlineStyle];
                }"""
            )
            if name != "main":
                self.assertEqual(outline, "solid", name)
            return name

        page.keyboard.press("Tab")
        while focused() != "search":
            page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        self.assertEqual(focused(), "Acme, acme1 subgroup")
        for key, then in [
            ("ArrowDown", "Umbrella, umbrella"),
            ("Home", "Acme, acme"),
            ("ArrowRight", "Acme, acme"),
        ]:
            page.keyboard.press(key)
            self.assertTrue(focused().startswith(then), (key, focused()))
        platform = page.get_by_role("treeitem", name=re.compile("^Plat"))
        expect(platform).to_have_count(1)
        page.keyboard.press("ArrowRight")
        expect(platform).to_be_focused()
        page.keyboard.press("ArrowLeft")
        self.assertTrue(focused().startswith("Acme, acme"))
        page.keyboard.press("ArrowLeft")
        expect(platform).to_be_hidden()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        self.group(page, 'Plat\\u{9}form <&> "R\\D"')
        expect(page.locator("#live")).to_contain_text("not exported yet")

        page.keyboard.press("Tab")
        while focused() != "batched":
            page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".state")).to_have_text("Finished")
        toggle = self.row(page, "labels").get_by_role("button", name="4 batches of labels")
        while not toggle.evaluate("element => element === document.activeElement"):
            focused()
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        self.assertEqual(focused(), "Download batch 1 of labels")
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        first = gzip.decompress(pathlib.Path(download.value.path()).read_bytes())
        expected = (PROJECT / "tests/expected/group_4351/labels.ndjson").read_bytes()
        self.assertEqual(first, b"".join(expected.splitlines(keepends=True)[:4]))

    def test_narrow_and_dark_windows_have_no_barriers(self):
        self.bad.export(7001, batched=True)
        for scheme in ("light", "dark"):
            for name, size in (("wide", WIDE), ("narrow", NARROW)):
                where = f"{name}-{scheme}"
                page = self.page(self.bad, scheme=scheme, size=size)
                expect(page.get_by_role("treeitem")).to_have_count(2)
                self.no_barriers(page, f"groups, {where}")
                self.shot(page, f"groups-{where}", full=False)
                page.get_by_role("treeitem", name=re.compile("^Acme")).click()
                self.group(page, "Acme")
                if scheme == "light":
                    self.no_barriers(page, f"not exported, {where}")
                if name == "narrow":
                    # The groups made room, so the focus went along, and there is a way back.
                    expect(page.get_by_role("heading", level=1)).to_be_focused()
                    expect(page.get_by_label("Search groups")).to_be_hidden()
                    page.get_by_role("link", name="Groups", exact=True).click()
                    expect(page.get_by_label("Search groups")).to_be_visible()
                page.goto(f"{self.bad.url}#/groups/7001")
                self.group(page, "Umbrella")
                self.row(page, "labels").get_by_role("button", name="1 batch of labels").click()
                page.get_by_text("As JSON").click()
                self.no_barriers(page, f"finished, {where}")
                self.shot(page, f"finished-{where}")

    def test_between_narrow_and_wide_everything_can_be_read(self):
        """Names stand on one line, nothing lies on anything else or is cut, and nothing scrolls sideways."""
        self.open.export(4351)
        self.open.export(7001, batched=True)
        broken = """() => {
          const told = [];
          // What is for screen readers alone has no place of its own.
          const unseen = document.querySelectorAll(".unseen");
          for (const element of unseen) element.hidden = true;
          const lines = (element) => {
            const range = document.createRange();
            range.selectNodeContents(element);
            return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
          };
          for (const name of document.querySelectorAll("tr.relation > th")) if (lines(name) > 1) told.push(`broken: ${name.textContent}`);
          for (const row of document.querySelectorAll("tr.relation")) {
            const boxes = [...row.children].filter((cell) => cell.getClientRects().length > 0).map((cell) => {
              const range = document.createRange();
              range.selectNodeContents(cell);
              return [cell.className, range.getBoundingClientRect(), row.getBoundingClientRect()];
            });
            for (const [index, [name, one, within]] of boxes.entries()) {
              if (one.width > 0 && (one.right > within.right + 1 || one.left < within.left - 1)) told.push(`outside: ${name}`);
              for (const [other, two] of boxes.slice(index + 1)) {
                const isOver = one.left < two.right - 1 && two.left < one.right - 1 && one.top < two.bottom - 1 && two.top < one.bottom - 1;
                if (isOver) told.push(`over each other: ${name}, ${other}`);
              }
            }
          }
          const chart = document.querySelector(".chart").getBoundingClientRect();
          const room = document.querySelector(".drawing").getBoundingClientRect();
          if (chart.right > room.right + 1) told.push("the chart is wider than its room");
          for (const text of document.querySelectorAll(".chart text")) {
            const box = text.getBoundingClientRect();
            if (box.width > 0 && (box.right > chart.right + 1 || box.left < chart.left - 1)) told.push(`cut: ${text.textContent}`);
          }
          for (const element of unseen) element.hidden = false;
          return [...new Set(told)];
        }"""
        for width in (360, 560, 700, 736, 740, 768, 820, 900, 960, 1000, 1024, 1100, 1152, 1280):
            for group in (4351, 7001):
                page = self.page(self.open, f"#/groups/{group}", size={"width": width, "height": 900})
                expect(page.locator(".chart")).to_be_visible()
                self.assertEqual(page.evaluate(broken), [], f"{width}, group {group}")
                self.no_barriers(page, f"{width}, group {group}")
                self.shot(page, f"width-{width}-{group}")
                page.context.close()

    def test_the_head_names_the_snapshot_and_its_time(self):
        page = self.page(self.full)
        expect(page.locator("#snapshot")).to_have_text(BACKUP.name)
        expect(page.locator("#taken")).to_have_text("taken 2023-11-14 22:13:20 UTC")
        expect(page.locator("#instance")).to_have_text("GitLab 16.5.1 Enterprise Edition")

    def archive(self, page, offer, groups):
        """Downloads an archive and compares what is in it."""
        name, content = self.downloaded(page, offer)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for group in groups:
                labels = archive.extractfile(f"{name.removesuffix('.tar')}/group_{group}/labels.ndjson.gz").read()
                expected = (PROJECT / f"tests/expected/group_{group}/labels.ndjson").read_bytes()
                self.assertEqual(gzip.decompress(labels), expected)

    def test_all_files_of_an_export_are_one_archive(self):
        self.bad.export(7001)
        page = self.page(self.bad, "#/groups/7001")
        self.group(page, "Umbrella")
        offers = page.locator(".archives").get_by_role("link")
        expect(offers).to_have_text([re.compile(r"^All files as one archive \([0-9.]+ kB\)$")])
        # It has no groups below it.
        expect(page.get_by_label("With all that lies in it")).to_have_count(0)
        self.archive(page, offers, [7001])

    def test_subgroups_come_along_and_are_in_one_archive(self):
        page = self.page(self.tree, "#/groups/4351")
        page.get_by_label("Personal access token").fill(self.token)
        page.keyboard.press("Enter")
        self.group(page, 'Plat\\u{9}form <&> "R\\D"')
        page.get_by_label("With all that lies in it").check()
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".state")).to_have_text("Finished")
        offers = page.locator(".archives").get_by_role("button")
        expect(offers).to_have_text([re.compile(r"^All files as one archive \("), re.compile(r"^With 1 subgroup and 1 project \(")])
        self.no_barriers(page, "archives")
        self.shot(page, "archives")
        self.archive(page, offers.first, [4351])
        self.archive(page, offers.last, [4351, 4352])

    # Projects.

    def test_a_project_is_found_exported_and_told_of(self):
        page = self.page(self.projects)
        acme = page.get_by_role("treeitem", name=re.compile("^Acme"))
        acme.locator(".twisty").click()
        below = page.get_by_role("group").get_by_role("treeitem")
        expect(below).to_have_text([re.compile("^Tools"), re.compile("^App <&>.*, project"), re.compile("^Attic"), re.compile("^Doomed")])
        self.no_barriers(page, "projects in the tree")
        page.get_by_label("Search groups and projects").fill("acme/tools")
        expect(page.locator("#found")).to_have_text("2 matches")
        self.assertEqual(page.locator(".path").all_inner_texts(), ["acme/tools", "acme/tools/wheel"])
        page.get_by_role("treeitem").last.click()
        self.group(page, "wheel")
        expect(page.locator(".meta")).to_have_text("Project 72")
        self.assertTrue(page.url.endswith("#/projects/72"), page.url)
        page.get_by_label("In batches").check()
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".state")).to_have_text("Finished")
        expect(self.row(page, "repository").or_(self.row(page, "labels")).first).to_be_visible()
        offers = page.locator(".archives").get_by_role("link")
        expect(offers).to_have_text([re.compile(r"^All files as one archive \(")])
        # A project of a person, in no group, whose id is that of no group.
        page.goto(f"{self.projects.url}#/projects/{'alice%2Fapp'}")
        self.group(page, "App")
        expect(page.locator(".trail").get_by_role("link")).to_have_count(0)
        page.goto(f"{self.projects.url}#/projects/75")
        expect(page.locator("main").get_by_text("There is no such project, or this token may not see it.")).to_be_visible()

    def test_a_family_is_exported_with_its_group(self):
        page = self.page(self.projects, "#/groups/50")
        self.group(page, "Acme")
        expect(page.locator(".meta")).to_have_text("Group 50 · 1 subgroup and 3 projects")
        page.get_by_role("button", name="Export").click()
        expect(page.locator(".state")).to_have_text("Finished", timeout=60_000)
        expect(page.locator(".family")).to_have_text("This group with 1 subgroup and 4 projects: 6 finished.")
        expect(page.locator(".archives").get_by_role("link").last).to_have_text(re.compile(r"^With 1 subgroup and 4 projects \("))
        self.no_barriers(page, "a family")
        self.shot(page, "family")
        # Whoever wants it anew gets it alone.
        page.get_by_role("button", name="Export again").click()
        expect(page.locator(".archives").get_by_role("link")).to_have_count(1)

    def test_missing_files_are_listed(self):
        self.projects.export(51)
        overview = self.projects.overview(51)
        labels = next(row for row in overview["relations"] if row["relation"] == "labels")
        labels["missing_files"] = {"count": 3, "first": [{"table": "uploads", "key": 7, "path": "a/<b>.png"}, {"table": "uploads", "key": None, "path": "c"}]}
        page = self.page(self.projects)
        page.route("**/-/relexport/groups/51", lambda route: route.fulfill(json=overview))
        page.goto(self.projects.url + "#/groups/51")
        self.group(page, "Tools")
        expect(self.row(page, "labels").locator(".cell-status")).to_have_text("Finished, files missing")
        problem = page.locator(".problem").filter(has_text="not in the snapshot")
        expect(problem).to_contain_text("3 files not in the snapshot; the first 2 are:")
        expect(problem.get_by_role("listitem")).to_have_text(["uploads, row 7: a/<b>.png", "uploads: c"])
        self.no_barriers(page, "missing files")

    def test_an_export_is_cancelled(self):
        page = self.page(self.open, "#/groups/4350")
        self.group(page, "Acme")
        cancel = page.get_by_role("button", name="Cancel")
        expect(cancel).to_be_hidden()
        waiting = {**self.open.overview(4350), "state": "waiting", "groups_before": 1, "subgroups_under_way": 2}
        nothing = {**waiting, "state": None, "groups_before": None, "subgroups_under_way": 0}
        answer = {"now": waiting}
        asked = []
        page.route("**/-/relexport/groups/4350", lambda route: route.fulfill(json=answer["now"]))

        def taken_back(route):
            asked.append((route.request.method, route.request.url.split("?")[1]))
            answer["now"] = nothing
            route.fulfill(json={"message": "200 Cancelled", "groups": 3})

        page.route("**/-/relexport/groups/4350/export?*", taken_back)
        page.reload()
        expect(cancel).to_have_text("Cancel with 2 subgroups")
        self.no_barriers(page, "cancel")
        cancel.click()
        expect(page.locator(".state")).to_have_text("Not exported")
        expect(cancel).to_be_hidden()
        expect(page.get_by_role("button", name="Export")).to_be_focused()
        self.assertEqual(asked, [("DELETE", "subgroups=true")])

    def test_the_page_works_when_motion_is_unwanted(self):
        page = self.page(self.open)
        page.emulate_media(reduced_motion="reduce")
        page.get_by_role("treeitem", name=re.compile("^Acme")).click()
        durations = page.evaluate("[...document.querySelectorAll('*')].map((element) => getComputedStyle(element).transitionDuration)")
        self.assertEqual(set(durations), {"0s"})

    # What the server says of the page.

    def test_the_page_is_served_below_its_root_with_a_strict_policy(self):
        index = self.guarded.request("")
        html = index.read().decode()
        self.assertEqual(index.headers["content-type"], "text/html; charset=utf-8")
        self.assertNotRegex(html, r"<script(?![^>]* src=)|<style| style=| on[a-z]+=")
        # The address without the slash leads to the one with it.
        with urllib.request.urlopen(self.guarded.url.rstrip("/")) as there:
            self.assertEqual(there.url, self.guarded.url)
        files = re.findall(r'(?:src|href)="\./(-/page/[^"]+)"', html)
        files += [f"-/page/{module}" for module in ("archive.js", "dom.js", "format.js", "entity.js", "manifest.js", "picture.js", "relations.js", "server.js", "tree.js")]
        for path in ["", *files]:
            with self.guarded.request(path) as answer:
                policy = answer.headers["content-security-policy"]
                etag = answer.headers["etag"]
                self.assertGreater(len(answer.read()), 100, path)
            rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
            self.assertEqual(rules["default-src"], "'none'")
            self.assertEqual(rules["script-src"], "'self'")
            self.assertNotIn("unsafe", policy)
            for known in [etag, f'W/{etag}', f'"other", {etag}']:
                self.assertEqual(self.guarded.status(path, {"If-None-Match": known}), 304, path)
            self.assertEqual(self.guarded.status(path, {"If-None-Match": '"other"'}), 200, path)
        for path in ["-/page/none.js", "-/page/..%2fmod.rs", "-/page/"]:
            self.assertEqual(self.guarded.status(path), 404, path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
