"""Chromium without a window, driven over its pipe: https://chromedevtools.github.io/devtools-protocol/."""

import base64
import fcntl
import io
import json
import os
import select
import tempfile
import time

import numpy
from PIL import Image

from bed import Child, Fault, until

# Debian's command is a script, which would be ended in place of the browser.
REAL = "/usr/lib/chromium/chromium-headless-shell"
PROGRAM = os.environ.get("CHROMIUM", REAL if os.path.exists(REAL) else "chromium-headless-shell")


class Browser:
    """One process; each page has a context of its own, so that pages know nothing of each other."""

    def __init__(self, folder):
        self.folder = tempfile.mkdtemp(dir=folder)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # 3 and 4 are where Chromium looks; high numbers first, so that none is in the way of another.
        high = [fcntl.fcntl(raw, fcntl.F_DUPFD, 20) for raw in (theirs_in, theirs_out)]
        os.close(theirs_in)
        os.close(theirs_out)
        self.child = Child(
            ["/bin/bash", "-c", f'exec "$@" 3<&{high[0]} 4>&{high[1]}', "bash", PROGRAM, "--headless",
             "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
             "--hide-scrollbars", "--force-color-profile=srgb", "--disable-background-networking", "--disable-sync",
             "--no-first-run", f"--user-data-dir={self.folder}", "about:blank"],
            pass_fds=high, log=os.path.join(self.folder, "log"))
        for raw in high:
            os.close(raw)
        self.reading, self.writing = ours_in, ours_out
        self.kept = b""
        self.number = 0
        self.answers = {}
        self.pages = []
        self.events = []
        self.call("Browser.getVersion", seconds=40)

    def pump(self, seconds):
        """Takes what has come; False where nothing came."""
        if not select.select([self.reading], [], [], max(0, seconds))[0]:
            return False
        piece = os.read(self.reading, 1 << 20)
        if not piece:
            raise Fault(f"Chromium has ended: {self.child.text()[-2000:]}")
        *whole, self.kept = (self.kept + piece).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.events.append(message)
        return True

    def call(self, method, parameters=None, session=None, seconds=20):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while number not in self.answers:
            if not self.pump(deadline - time.monotonic()) and time.monotonic() > deadline:
                raise Fault(f"Chromium does not answer {method}")
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Fault(f"{method}: {answer['error']}")
        return answer["result"]

    def page(self, width=1280, height=800, **look):
        self.pages.append(Page(self, width, height, **look))
        return self.pages[-1]

    def close_pages(self):
        for page in list(self.pages):
            page.close()
        self.events = []

    def end(self):
        try:
            self.call("Browser.close")
            self.child.process.wait(5)
        except Exception:
            pass
        self.child.end()
        os.close(self.reading)
        os.close(self.writing)


class Page:
    def __init__(self, browser, width, height, scale=1, touch=False, dark=False):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call(
            "Target.createTarget", {"url": "about:blank", "browserContextId": self.context})["targetId"]
        self.session = browser.call(
            "Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Security.setIgnoreCertificateErrors", {"ignore": True})
        self.size(width, height, scale, touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", {"features": [scheme]})

    def call(self, method, parameters=None, seconds=20):
        return self.browser.call(method, parameters, self.session, seconds)

    def size(self, width, height, scale=1, touch=False):
        self.call("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": touch})
        self.call("Emulation.setTouchEmulationEnabled", {"enabled": touch, "maxTouchPoints": 5 if touch else 1})

    def open(self, address):
        self.call("Page.navigate", {"url": address})
        until(f"{address} is loaded", lambda: self.run("document.readyState") == "complete")

    def run(self, script):
        """What the script says; it may be a promise."""
        answer = self.call(
            "Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
        if "exceptionDetails" in answer:
            raise Fault(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self, id_):
        return self.run(f"document.getElementById({json.dumps(id_)}).textContent.trim()")

    def is_seen(self, id_):
        return self.run(f"document.getElementById({json.dumps(id_)}).checkVisibility({{visibilityProperty: true}})")

    def state(self, name, seconds=20):
        until(f"the page is {name}: {self.run('document.body.innerText')}",
              lambda: self.run("document.body.dataset.state") == name, seconds)

    def says(self, id_, words, seconds=20):
        until(f"#{id_} says {words}; it says {self.text(id_)}", lambda: words in self.text(id_), seconds)

    def fill(self, id_, text):
        self.run(f"document.getElementById({json.dumps(id_)}).value = {json.dumps(text)}")

    def click(self, id_):
        x, y = self.run(
            f"(() => {{ const r = document.getElementById({json.dumps(id_)}).getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        self.press(x, y)

    def press(self, x, y):
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            self.call("Input.dispatchMouseEvent", {
                "type": kind, "x": x, "y": y, "button": "none" if kind == "mouseMoved" else "left",
                "buttons": buttons, "clickCount": 0 if kind == "mouseMoved" else 1})

    def tap(self, x, y):
        self.call("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        self.call("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def key(self, key, code, modifiers=0):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", {"type": kind, "key": key, "code": code, "modifiers": modifiers})

    def point(self, x, y):
        """Where a pixel of the lane's screen is on the page."""
        return self.run(
            "(() => { const c = document.querySelector('#screen canvas'), r = c.getBoundingClientRect();"
            f"return [r.x + {x} * r.width / c.width, r.y + {y} * r.height / c.height]; }})()")

    def canvas(self, selector="#screen canvas"):
        """The lane's picture as the page has it, before it is scaled."""
        text = self.run(f"document.querySelector({json.dumps(selector)})?.toDataURL('image/png') ?? ''")
        if len(text) < 30:
            return numpy.zeros((1, 1, 3), numpy.uint8)
        with Image.open(io.BytesIO(base64.b64decode(text.split(",", 1)[1]))) as image:
            return numpy.asarray(image.convert("RGB"))

    def picture(self, path):
        """What is seen."""
        self.run("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
        text = self.call("Page.captureScreenshot", {"format": "png"}, seconds=40)["data"]
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            # 128 colours are enough for a page, and a third of the bytes.
            image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)

    def complaints(self):
        """What the browser holds against the page: errors, and what its rules forbid."""
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            body = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(body["exceptionDetails"].get("exception", {}).get("description", "an exception"))
            if event["method"] == "Log.entryAdded" and body["entry"]["level"] == "error":
                found.append(body["entry"]["text"])
        return found

    def asked(self):
        """All addresses that left the browser."""
        return [event["params"]["request"]["url"] for event in self.browser.events
                if event.get("sessionId") == self.session and event["method"] == "Network.requestWillBeSent"]

    def close(self):
        self.browser.pages.remove(self)
        self.browser.call("Target.disposeBrowserContext", {"browserContextId": self.context})
