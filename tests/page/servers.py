"""Servers for the tests of the page: the program itself on a free port."""

import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

PROGRAM = os.environ["RELEXPORT"]
PATIENCE = 60


def until(what, look):
    """Looks again and again until there is something."""
    started = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() - started < PATIENCE, f"waited too long until {what}"
        time.sleep(0.02)


def new_token(file, *options):
    """Makes a token; returns it."""
    made = subprocess.run([PROGRAM, "token", "new", "--token-file", file, *options], check=True, capture_output=True, text=True)
    return made.stdout.strip()


class Server:
    """`relexport serve`, ready, with the address that it says."""

    def __init__(self, snapshot, data, *options):
        command = [PROGRAM, "serve", "--snapshot", snapshot, "--data", data, "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            said = re.search(r"serving at (http://\S+)", line)
            if said:
                self.url = said[1]
                break
        else:
            raise AssertionError(f"the server ended: {self.process.wait()}")
        # Standard error is read on, so that the server never waits for its reader.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        until("the server is ready", lambda: self.status("-/readiness") == 200)

    def request(self, path, method="GET", headers=None):
        return urllib.request.urlopen(urllib.request.Request(self.url + path, method=method, headers=headers or {}))

    def status(self, path, headers=None):
        try:
            with self.request(path, headers=headers) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    def bytes(self, path, token=None):
        with self.request(path, headers={"PRIVATE-TOKEN": token} if token else {}) as answer:
            return answer.read()

    def overview(self, group, token=None):
        return json.loads(self.bytes(f"-/relexport/groups/{group}", token))

    def export(self, group, batched=False):
        """Exports a group without the page; returns what is known of it then."""
        self.request(f"api/v4/groups/{group}/export_relations?batched={str(batched).lower()}", "POST").close()
        until("the export has ended", lambda: self.overview(group)["state"] in ("finished", "failed"))
        return self.overview(group)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
