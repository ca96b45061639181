#!/usr/bin/python3
"""The lane's page in Chromium, in each of its states, with a picture of each: `test_page.py [FOLDER]`.

The lane is a real one: an X server with a till, `lanewatch-view`, tokens. Whoever changes the page looks at the pictures."""

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy

from bed import LANE, STORE, Cut, Fault, Lane, psnr, until
from browser import Browser

CARD = [40, 460, 300, 120]
RAISED = [
    {"intervention": "0193-1", "rule": "payment", "title": "Payment declined", "severity": "critical",
     "raisedAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 95))},
    {"intervention": "0193-2", "rule": "bag", "title": "Unexpected item in the bagging area", "severity": "warning",
     "raisedAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())}]


class Tests:
    def __init__(self, pictures):
        self.pictures = pictures
        self.lane = Lane()
        self.browser = Browser(self.lane.folder)
        self.view = self.lane.watch(
            token_keys=[str(self.lane.key.public)], everybody=False,
            masks=[{"while": "basket is paying", "area": "all", "reason": "the customer pays"}])

    def end(self):
        self.browser.end()
        self.lane.end()

    def address(self, view=None, **fragment):
        link = "&".join(f"{name}={value}" for name, value in fragment.items())
        return f"https://127.0.0.1:{(view or self.view).https}/" + (f"#{link}" if link else "")

    def token(self, *words, **more):
        return self.lane.key.token(*words, **more)

    def keep(self, page, name):
        page.picture(self.pictures / f"{name}.png")

    def expect(self, is_so, what):
        if not is_so:
            raise Fault(f"not so: {what}")

    def join(self, page, view=None, **token):
        page.open(self.address(view, token=self.token(**token), exact="1"))
        page.state("on")
        return page

    def shows(self, page, masks=()):
        """The canvas is the masked screen, every pixel of it."""
        until("the canvas is the masked screen",
              lambda: numpy.array_equal(page.canvas(), self.lane.picture(masks)))

    # MARK: Signing in

    def test_door(self):
        page = self.browser.page()
        page.open(self.address())
        page.state("door")
        self.expect(page.text("lane") == f"lane {LANE}, store {STORE}", page.text("lane"))
        self.expect(not page.is_seen("tools") and not page.is_seen("screen"), "nothing to use yet")
        self.keep(page, "door")
        page.click("enter")
        page.says("fault-title", "The token is missing")
        page.fill("attendant", "anna")
        page.fill("secret", self.token())
        page.click("enter")
        page.state("on")
        self.expect(page.run("document.getElementById('secret').value") == "", "the token is forgotten")
        self.shows_roughly(page)
        return page

    def shows_roughly(self, page):
        """With JPEG on the way."""
        until("the picture", lambda: psnr(page.canvas(), self.lane.picture()) > 30)

    def test_wrong(self):
        page = self.browser.page()
        used = self.token()
        first = self.browser.page()
        first.open(self.address(token=used))
        first.state("on")
        first.close()
        for name, attendant, secret, title in [
                ("wrong", "anna", "nonsense", "This was not accepted"),
                ("expired", "", self.token(age=61), "The token’s time is over"),
                ("used", "", used, "The token was used already"),
                ("other-lane", "", self.token(lane="0042/08"), "The token is for another lane"),
                ("other-name", "eve", self.token(), "The token was made for another name")]:
            page.open("about:blank")
            page.open(self.address())
            page.state("door")
            page.fill("attendant", attendant)
            page.fill("secret", secret)
            page.click("enter")
            page.says("fault-title", title)
            self.expect(page.run("document.getElementById('fault').getAttribute('role')") == "alert", "it is told")
            if name in ("wrong", "used"):
                self.keep(page, name)
        return page

    def test_link(self):
        """What is behind the # is never sent, and goes from the address bar."""
        page = self.browser.page()
        token = self.token(attendant="anna")
        page.open(self.address(token=token, attendant="anna"))
        page.state("on")
        self.expect(page.run("location.hash") == "" and token not in page.run("location.href"), "the hash is gone")
        self.expect(page.run("history.length") <= 2, "and no entry of the history has it")
        self.expect(not any(token in address for address in page.asked()), "no request had it")
        self.expect(token not in self.view.child.text(), "nor has the log")
        return page

    def test_connecting(self):
        page = self.browser.page()
        page.open(self.address())
        page.state("door")
        page.fill("secret", self.token())
        self.view.child.process.send_signal(signal.SIGSTOP)
        try:
            page.click("enter")
            page.state("wait")
            page.says("link-text", "Connecting")
            self.keep(page, "connecting")
        finally:
            self.view.child.process.send_signal(signal.SIGCONT)
        page.state("on")
        return page

    # MARK: Watching

    def test_viewing(self):
        page = self.join(self.browser.page(), attendant="anna")
        other = self.join(self.browser.page(), attendant="bert")
        self.shows(page)
        self.lane.agent.say(raised=RAISED)
        page.says("raised", "Payment declined, since ")
        page.says("raised", "(and 1 more)")
        page.says("others", "Also here: bert")
        page.says("since", "anna, since ")
        page.says("live", "Viewing. Payment declined")
        self.expect(page.text("mode") == "Viewing" and page.text("link-text") == "Live", "its state")
        self.expect(not page.is_seen("control"), "no control without the right to it")
        self.keep(page, "viewing")
        # A till that changes shows at once, exactly.
        self.lane.tell("item Apples 3.49")
        self.shows(page)
        other.click("leave")
        other.state("over")
        until("bert is gone", lambda: page.text("others") == "")
        self.keep(other, "left")
        other.close()
        self.lane.agent.say(raised=[])
        until("nothing is raised", lambda: page.text("raised") == "")
        return page

    def test_hidden(self):
        page = self.join(self.browser.page(), attendant="anna")
        self.shows(page)
        self.lane.agent.say({"basket": "paying"}, RAISED[:1])
        page.says("veil-title", "The screen is hidden")
        page.says("veil-why", "the customer pays")
        self.lane.tell("pay")
        self.lane.tell("pan 4111111111111111")
        self.shows(page, ["all"])
        self.keep(page, "hidden")
        self.lane.tell("paid")
        self.lane.tell("basket open")
        self.lane.tell("item Milk 1.19")
        self.lane.agent.say({"basket": "open"}, [])
        until("it is seen again", lambda: not page.is_seen("veil"))
        self.shows(page)
        return page

    def test_partly_hidden(self):
        view = self.lane.watch(token_keys=[str(self.lane.key.public)], masks=[
            {"area": CARD, "reason": "customer card"}])
        page = self.join(self.browser.page(), view)
        page.says("partly", "Parts are hidden: customer card")
        self.shows(page, [CARD])
        self.keep(page, "partly-hidden")
        view.end()
        page.says("over-title", "ended by the lane")
        self.keep(page, "ended")
        page.click("again")
        page.state("door")
        return page

    def test_agent_away(self):
        page = self.join(self.browser.page(), attendant="anna")
        self.shows(page)
        self.lane.agent.end()
        page.says("veil-title", "the lane’s agent does not answer")
        self.shows(page, ["all"])
        self.keep(page, "agent-away")
        self.lane.start_agent()
        until("it is seen again", lambda: not page.is_seen("veil"))
        self.shows(page)
        return page

    # MARK: Control

    def test_control(self):
        page = self.join(self.browser.page(), attendant="anna", mode="control")
        self.lane.agent.say(raised=RAISED[:1])
        page.says("raised", "Payment declined")
        self.shows(page)
        help_at = (750, 666)
        # Only watching: what is clicked and typed stays here.
        page.press(*page.point(*help_at))
        heard = self.lane.tell("total")
        self.expect(heard == [], f"a click of who only watches: {heard}")
        page.click("control")
        page.says("mode", "In control")
        self.expect(page.run("document.activeElement.tagName") == "CANVAS", "keys go to the lane at once")
        self.keep(page, "control")
        page.press(*page.point(*help_at))
        until("the till was touched", lambda: "touch help" in self.lane.lines())
        # The way out by keys, which the lane never sees.
        page.key("Home", "Home", 1 | 2)
        page.says("mode", "Viewing")
        self.expect(page.run("document.activeElement.id") == "control", "and then to the page")
        page.press(*page.point(*help_at))
        self.expect(self.lane.tell("help off") == [], "nothing is sent any more")
        self.lane.agent.say(raised=[])
        return page

    def test_control_is_one_attendants(self):
        anna = self.join(self.browser.page(), attendant="anna", mode="control")
        bert = self.join(self.browser.page(), attendant="bert", mode="control")
        anna.click("control")
        anna.says("mode", "In control")
        bert.says("others", "anna (in control)")
        bert.click("control")
        bert.says("link-text", "Control was not given")
        self.expect(bert.text("mode") == "Viewing", "bert goes on watching")
        self.keep(bert, "control-denied")
        # Given back, another has it at once.
        anna.click("control")
        anna.says("mode", "Viewing")
        bert.click("control")
        bert.says("mode", "In control")
        anna.says("others", "bert (in control)")
        bert.click("leave")
        until("bert is gone", lambda: anna.text("others") == "")
        return anna

    # MARK: What goes wrong later

    def test_reconnects(self):
        cut = Cut(self.view.https)
        page = self.browser.page()
        page.open(f"https://127.0.0.1:{cut.port}/#token={self.token(mode='control')}&exact=1")
        page.state("on")
        self.shows(page)
        cut.is_open = False
        cut.cut()
        page.state("wait")
        page.says("wait-text", "Reconnecting")
        self.keep(page, "reconnecting")
        self.lane.tell("item Tea 2.19")
        cut.is_open = True
        page.state("on")
        self.shows(page)
        # Given up, in the end.
        cut.is_open = False
        cut.cut()
        page.says("over-title", "The connection to the lane was lost", 40)
        self.keep(page, "lost")
        cut.end()
        return page

    def test_lane_does_not_answer(self):
        cut = Cut(self.view.https)
        page = self.browser.page()
        page.open(f"https://127.0.0.1:{cut.port}/")
        page.state("door")
        cut.is_open = False
        cut.cut()
        page.fill("secret", self.token())
        page.click("enter")
        page.says("fault-title", "The lane does not answer")
        self.keep(page, "no-answer")
        cut.end()
        return None

    def test_without_novnc(self):
        view = self.lane.watch(everybody="view", page={"novnc": "/nowhere"})
        page = self.browser.page()
        page.open(self.address(view))
        self.expect("apt-get install novnc" in page.run("document.body.innerText"), "how to install it")
        self.keep(page, "no-novnc")
        view.end()
        return None

    def test_everybody(self):
        view = self.lane.watch(everybody="control", masks=[], unknown_state="none")
        page = self.browser.page()
        page.open(self.address(view, exact="1"))
        page.state("on")
        self.shows(page)
        page.close()
        both = self.lane.watch(everybody="view", token_keys=[str(self.lane.key.public)], masks=[])
        page = self.browser.page()
        page.open(self.address(both))
        page.state("door")
        page.click("enter-free")
        page.state("on")
        page.open("about:blank")
        # With a token, noVNC has to take it although nothing is asked for.
        page.open(self.address(both, token=self.token(mode="control")))
        page.state("on")
        until("control is offered", lambda: page.is_seen("control"))
        view.end()
        both.end()
        return None

    def test_stock_page(self):
        """noVNC's own page, with the token as its password."""
        page = self.browser.page()
        page.open(f"https://127.0.0.1:{self.view.https}/vnc.html")
        until("noVNC is there", lambda: page.run("!!document.getElementById('noVNC_connect_button')"))
        until("noVNC has begun", lambda: page.run(
            "!document.documentElement.classList.contains('noVNC_loading')"))
        page.run("document.getElementById('noVNC_connect_button').click()")
        until("it asks", lambda: page.run(
            "document.getElementById('noVNC_credentials_dlg').classList.contains('noVNC_open')"))
        page.fill("noVNC_username_input", "anna")
        page.fill("noVNC_password_input", self.token())
        page.run("document.getElementById('noVNC_credentials_button').click()")
        until("the picture", lambda: psnr(
            page.canvas("#noVNC_container canvas"), self.lane.picture()) > 30)
        return None

    # MARK: Sizes

    def fits(self, page, width):
        self.expect(page.run("document.documentElement.scrollWidth") <= width, "nothing is wider than the window")
        outside = page.run(
            "[...document.querySelectorAll('button, input, h1, #mode, #raised')].filter((e) => e.checkVisibility())"
            ".filter((e) => { const r = e.getBoundingClientRect(); return r.left < -0.5 || r.right > innerWidth + 0.5"
            " || r.bottom > innerHeight + 0.5; }).map((e) => e.id)")
        self.expect(outside == [], f"outside of the window: {outside}")
        small = page.run(
            "[...document.querySelectorAll('button')].filter((e) => e.checkVisibility())"
            ".filter((e) => e.getBoundingClientRect().height < 43.5).map((e) => e.id)")
        self.expect(small == [], f"too small for a finger: {small}")

    def test_phone(self):
        for dark in (True, False):
            name = "phone-dark" if dark else "phone"
            page = self.browser.page(360, 640, scale=2, touch=True, dark=dark)
            page.open(self.address())
            page.state("door")
            self.fits(page, 360)
            self.keep(page, f"{name}-door")
            self.lane.agent.say(raised=RAISED)
            page.open("about:blank")
            self.join(page, attendant="anna", mode="control")
            page.says("raised", "Payment declined")
            self.shows(page)
            page.click("control")
            page.says("mode", "In control")
            self.fits(page, 360)
            self.expect(page.is_seen("keyboard"), "there is a keyboard for fingers")
            self.keep(page, name)
            page.size(640, 360, 2, True)
            self.fits(page, 640)
            self.keep(page, f"{name}-wide")
            page.size(360, 640, 2, True)
            self.lane.agent.say(raised=[])
            if dark:
                page.close()
        return page

    def test_tablet(self):
        page = self.browser.page(1024, 768, touch=True)
        self.join(page, attendant="anna", mode="control")
        self.shows(page)
        page.click("control")
        page.says("mode", "In control")
        page.tap(*page.point(750, 666))
        until("the tap reached the till", lambda: "touch help" in self.lane.lines())
        page.click("keyboard")
        until("the keyboard is open", lambda: page.run("document.activeElement.id") == "typing")
        self.expect(page.run("document.getElementById('keyboard').getAttribute('aria-pressed')") == "true", "pressed")
        page.call("Input.insertText", {"text": "a€"})
        self.keep(page, "tablet")
        page.click("keyboard")
        until("it is closed", lambda: page.run("document.activeElement.id") != "typing")
        page.click("fit")
        until("pixel by pixel", lambda: page.run(
            "document.querySelector('#screen canvas').getBoundingClientRect().width / "
            "document.querySelector('#screen canvas').width") == 1)
        page.click("fit")
        self.lane.tell("help off")
        self.fits(page, 1024)
        return page

    def test_contrast(self):
        """WCAG 2.1, 1.4.3: text is 4.5 to 1 and more."""
        script = """(() => {
          const light = (c) => { const v = c.map((x) => x / 255)
            .map((x) => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
            return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
          const read = (text) => (text.match(/[0-9.]+/g) ?? []).map(Number);
          const ground = (e) => { for (; e; e = e.parentElement) {
            const c = read(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; }
            return [255, 255, 255]; };
          return [...document.querySelectorAll('h1,h2,p,label,button,.badge,.facts span,#link-text,strong')]
            .filter((e) => e.checkVisibility() && e.textContent.trim())
            .map((e) => { const [a, b] = [read(getComputedStyle(e).color), ground(e)].map(light);
              return [e.id || e.tagName, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]; })
            .filter(([, ratio]) => ratio < 4.5); })()"""
        for dark in (False, True):
            page = self.browser.page(dark=dark)
            page.open(self.address())
            page.state("door")
            page.fill("secret", "wrong")
            page.click("enter")
            page.says("fault-title", "not accepted")
            self.expect(page.run(script) == [], f"too faint: {page.run(script)}")
            page.open("about:blank")
            self.lane.agent.say(raised=RAISED)
            self.join(page, mode="control")
            page.says("raised", "Payment")
            self.expect(page.run(script) == [], f"too faint: {page.run(script)}")
            page.click("control")
            page.says("mode", "In control")
            self.expect(page.run(script) == [], f"too faint: {page.run(script)}")
            self.lane.agent.say(raised=[])
            page.close()
        return None

    def test_zz_screen_gone(self):
        """Last, as it ends the X server."""
        page = self.join(self.browser.page())
        self.shows(page)
        self.lane.screen.child.process.kill()
        page.says("veil-title", "The lane’s screen cannot be read")
        self.keep(page, "screen-gone")
        return page


def run(pictures, only):
    tests = Tests(pictures)
    failed = []
    try:
        for name in sorted(name for name in dir(tests) if name.startswith("test_") and only in name):
            started = time.monotonic()
            try:
                page = getattr(tests, name)()
                if page:
                    complaints = [one for one in page.complaints() if "WebSocket connection to" not in one]
                    if complaints:
                        raise Fault(f"the browser complains: {complaints}")
                print(f"  {name[5:].replace('_', ' '):28} {time.monotonic() - started:5.1f} s", flush=True)
            except Exception:
                failed.append(name)
                print(f"  {name[5:].replace('_', ' '):28} failed\n{traceback.format_exc()}", flush=True)
            finally:
                tests.browser.close_pages()
        if failed:
            print(tests.view.child.text()[-3000:])
    finally:
        tests.end()
    return failed


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else ".build/pictures").resolve()
    where.mkdir(parents=True, exist_ok=True)
    print(f"The page; its pictures are in {os.path.relpath(where)}")
    sys.exit(1 if run(where, sys.argv[2] if len(sys.argv) > 2 else "") else 0)
