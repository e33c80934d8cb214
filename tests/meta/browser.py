"""A headless Chromium, driven over the DevTools protocol on a pair of pipes: nothing but Python's standard library.

It opens pages from disk only: every name resolves to nothing. Whatever a page writes to its console as an error or a warning,
throws, or tries to load is kept, so that a test can refuse it.
"""
import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time

SCALE = float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))
ANSWER_WITHIN = 60 * SCALE


class BrowserError(Exception):
    pass


def find():
    """The browser's path, or None."""
    return next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


def above(descriptor):
    """The same descriptor with a number that dup2 to 3 and 4 cannot hit."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


class Browser:
    def __init__(self, program, width=1440, height=900):
        self.folder = tempfile.mkdtemp(prefix="squall-chromium-")
        arguments = [
            program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.folder}", f"--window-size={width},{height}",
            "--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio", "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # it has none for root
        to_browser, self.output = map(above, os.pipe())
        self.input, from_browser = map(above, os.pipe())
        with open(os.devnull, "r+b") as nothing:
            quiet = nothing.fileno()
            self.pid = os.posix_spawn(
                program, arguments, {**os.environ, "HOME": self.folder, "DBUS_SESSION_BUS_ADDRESS": "disabled:"},
                file_actions=[(os.POSIX_SPAWN_DUP2, quiet, 0), (os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2),
                              (os.POSIX_SPAWN_DUP2, to_browser, 3), (os.POSIX_SPAWN_DUP2, from_browser, 4)], setpgroup=0)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.number = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.input)
        os.close(self.output)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def read(self):
        deadline = time.monotonic() + ANSWER_WITHIN
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            part = os.read(self.input, 1 << 20) if ready else b""
            if not part:
                raise BrowserError("the browser ended" if ready else f"the browser is silent for {ANSWER_WITHIN:g} s")
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)


class Page:
    """One page, from disk."""

    def __init__(self, browser, path, width=1440, height=900, dark=False, scale=1):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.first = len(browser.events)
        self.call("Page.navigate", url=f"file://{os.path.abspath(path)}")  # answers when the new document is there
        self.run("new Promise((done) => document.readyState === 'complete' ? done(1) : addEventListener('load', () => done(1)))")

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def run(self, script):
        """The value of an expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(f"{script}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def settle(self):
        """Until everything is drawn that is going to be: two frames."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    # What the browser itself acts on (focus, dialogs) it knows by these numbers.
    KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27}

    def key(self, key, shift=False):
        text = key if len(key) == 1 else ""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text if kind == "keyDown" else "", modifiers=8 if shift else 0,
                      windowsVirtualKeyCode=self.KEY_CODES.get(key, 0))
        self.settle()

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)
        self.settle()

    def screenshot(self, path):
        self.settle()
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def complaints(self):
        """What the console said beyond information, what was thrown, and what was asked of the network."""
        self.settle()
        found = []
        for event in self.browser.events[self.first:]:
            if event.get("sessionId") != self.session:
                continue
            method, params = event["method"], event["params"]
            if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(f"console.{params['type']}: " + " ".join(str(a.get("value", a.get("description", ""))) for a in params["args"]))
            elif method == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append("thrown: " + details.get("exception", {}).get("description", details["text"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"log {params['entry']['level']}: {params['entry']['text']}")
            elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(("file:", "data:")):
                found.append(f"request: {params['request']['url'][:100]}")
        return found

    NAMED = {"button", "link", "textbox", "searchbox", "application", "listbox", "option", "dialog", "heading", "toolbar", "region", "image"}

    def nameless(self):
        """Elements that assistive technology would read out without a name."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [f"{node['role']['value']} (node {node.get('backendDOMNodeId')})" for node in nodes
                if not node.get("ignored") and node.get("role", {}).get("value") in self.NAMED
                and not node.get("name", {}).get("value", "").strip()]
