"""A headless Chromium, spoken to over its debugging pipe; no library stands between."""

import base64
import json
import os
import select
import subprocess
import tempfile

WAIT_SECONDS = 60


class Browser:
    def __init__(self):
        # Processes that it leaves behind for a moment may still write there.
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_child, self.out = os.pipe()
        self.inn, from_child = os.pipe()
        words = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking", "--remote-debugging-pipe",
                 "--user-data-dir=" + self.folder.name, "about:blank"]
        self.process = subprocess.Popen(["sh", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "sh", *words],
                                        pass_fds=(to_child, from_child), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.buffer = b""
        self.number = 0
        self.errors = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def _receive(self):
        while b"\0" not in self.buffer:
            if not select.select([self.inn], [], [], 2 * WAIT_SECONDS)[0]:
                raise AssertionError("the browser does not answer")
            self.buffer += os.read(self.inn, 1 << 20)
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def _hear(self, message):
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.errors.append(str([each.get("value") for each in parameters["args"]]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"] + " " + parameters["entry"].get("url", ""))

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") != self.number:
                self._hear(answer)
                continue
            assert "error" not in answer, answer
            return answer["result"]

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression):
        """What comes about by a change of the document."""
        value = self.evaluate(
            "new Promise((resolve) => {"
            f" const look = () => {{ const value = {expression}; if (value) resolve(value); return value; }};"
            " const watcher = new MutationObserver(() => look() && watcher.disconnect());"
            " watcher.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });"
            f" if (look()) watcher.disconnect(); else setTimeout(() => resolve(null), {WAIT_SECONDS * 1000}); }})")
        assert value, f"never came: {expression}\n{self.evaluate('document.body.innerText')}"
        return value

    def go(self, url):
        """Until it is there, unless it is another place of the same document."""
        self.loaded = False
        if "loaderId" in self.call("Page.navigate", url=url):
            while not self.loaded:
                self._hear(self._receive())

    def look(self, width, height, dark, path):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def key(self, name, code):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)
