#!/usr/bin/python3
"""Real viewers, headless, against a real `lanewatch-view`: each has to show the masked screen.

`test_clients.py [WORDS]` prints a table: client, its way, what is hidden, and whether its picture is equal to the masked screen, or
how far from it (dB) where JPEG is on the way. WORDS: only rows that have them. A client that is not installed is a failure."""

import os
import pty
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

import numpy

from bed import ROOT, Child, Fault, Lane, XServer, place_of, psnr, read, until
from browser import Browser

AREA = [120, 200, 420, 260]
PASSWORD = "geheimes"
# Of JPEG at its best, over a till's picture.
LEAST = 30.0


class Bed:
    """The lane, and a view for each set of ways in and masks; views are opened once."""

    def __init__(self):
        self.lane = Lane(800, 600)
        self.folder = self.lane.folder
        (self.folder / "password").write_text(PASSWORD + "\n")
        self.stored = self.folder / "passwd"
        self.stored.write_bytes(subprocess.run(
            ["tigervncpasswd", "-f"], input=PASSWORD.encode(), check=True, capture_output=True).stdout)
        self.views = {}
        self.browser = None

    def view(self, way, mask):
        if (way, mask) not in self.views:
            ways = {"none": {"everybody": "view"}, "token": {"token_keys": [str(self.lane.key.public)]},
                    "password": {"password": {"file": str(self.folder / "password"), "mode": "view"}}}[way]
            masks = {"nothing": [], "part": [{"area": AREA, "reason": "card"}],
                     "all": [{"while": "basket is paying", "area": "all"}]}[mask]
            self.views[way, mask] = self.lane.watch(**ways, masks=masks)
        return self.views[way, mask]

    def truth(self, mask):
        return self.lane.picture({"nothing": [], "part": [AREA], "all": ["all"]}[mask])

    def file(self, ending):
        raw, path = tempfile.mkstemp(dir=self.folder, suffix=ending)
        os.close(raw)
        os.unlink(path)
        return path

    def end(self):
        if self.browser:
            self.browser.end()
        self.lane.end()


def run(words, seconds=30, **options):
    """A client that writes a picture and ends."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, timeout=seconds, **options)
    except subprocess.TimeoutExpired as fault:
        raise Fault(f"it did not end: {(fault.stderr or b'').decode(errors='replace')[-300:]}") from None
    if done.returncode != 0:
        raise Fault(f"code {done.returncode}: {(done.stderr or done.stdout).decode(errors='replace')[-300:]}")


# MARK: The clients. Each returns its picture.

def vncsnapshot(bed, view, way, mask, *options):
    path = bed.file(".jpg")
    secret = ["-passwd", bed.stored] if way == "password" else []
    run(["vncsnapshot", "-quiet", "-nocursor", "-allowblank", *options, *secret, f"127.0.0.1:{view.display}", path],
        stdin=subprocess.DEVNULL)
    return read(path)


def vncdotool(bed, view, way, mask):
    path = bed.file(".png")
    secret = ["-p", PASSWORD] if way == "password" else []
    python = ROOT / ".deps/python/bin/python"
    run([python, "-m", "vncdotool.command", "--nocursor", *secret, "-s", f"127.0.0.1::{view.rfb}", "capture", path])
    return read(path)


def gvnccapture(bed, view, way, mask):
    path = bed.file(".png")
    # It takes VeNCrypt where it is offered, and looks for the certificate below its user's home, wherever HOME is: so that is
    # another folder in a name space of its own. It asks for a password at its terminal.
    script = ('mount -t tmpfs none "$1" && mkdir -p "$1/.pki/CA" && cp "$2" "$1/.pki/CA/cacert.pem" && '
              'exec gvnccapture -q "$3" "$4"')
    near, far = pty.openpty()
    child = Child(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", pwd.getpwuid(0).pw_dir,
                   view.certificate, f"127.0.0.1:{view.display}", path], stdin=far, stdout=far, stderr=far,
                  start_new_session=True)
    os.close(far)
    heard = b""
    deadline = time.monotonic() + 30
    os.set_blocking(near, False)
    answers = [(b"sername:", "anna"), (b"assword:", PASSWORD)]
    while child.is_alive and time.monotonic() < deadline:
        try:
            heard += os.read(near, 4096)
        except OSError:
            pass
        if answers and answers[0][0] in heard:
            os.write(near, answers.pop(0)[1].encode() + b"\n")
        time.sleep(0.02)
    code = child.end()
    os.close(near)
    if code != 0:
        raise Fault(f"code {code}: {heard.decode(errors='replace')[-300:]}")
    return read(path)


def tigervnc(bed, view, way, mask, *options):
    """Its window is looked for on an X server of its own, which has room for it, and whose ground is no black."""
    screen = XServer(bed.folder, 1000, 800)
    subprocess.run(["xsetroot", "-solid", "#336699"], env=screen.environment, check=True, capture_output=True)
    home = tempfile.mkdtemp(dir=bed.folder)
    environment = {**screen.environment, "HOME": home}
    words = ["xtigervncviewer", "-DotWhenNoCursor=0", "-AlertOnFatalError=0", "-ReconnectOnError=0", "-RemoteResize=0",
             "-MenuKey=", *options]
    if way == "none":
        words += ["-SecurityTypes=None"]
    elif way == "password":
        words += ["-SecurityTypes=VncAuth", "-passwd", bed.stored]
    else:
        words += ["-SecurityTypes=X509Plain", f"-X509CA={view.certificate}"]
        environment.update(VNC_USERNAME="anna", VNC_PASSWORD=bed.lane.key.token("anna"))
    child = Child([*words, f"127.0.0.1::{view.rfb}"], env=environment, log=os.path.join(home, "log"))
    truth = bed.truth(mask)
    is_lossy = any("AutoSelect=1" in option for option in options)
    try:
        best = [None]

        def seen():
            whole = screen.picture()
            place = place_of(truth, whole)
            if place is not None:
                best[0] = truth
                return True
            if is_lossy:
                found = nearest(truth, whole)
                if best[0] is None or psnr(found, truth) > psnr(best[0], truth):
                    best[0] = found
                return psnr(best[0], truth) > LEAST
            if not child.is_alive:
                raise Fault(f"it ended: {child.text()[-300:]}")
            return False

        try:
            until("its window shows the masked screen", seen, 20)
        except Fault:
            raise Fault(f"its window never showed it: {child.text()[-300:]}") from None
        return best[0]
    finally:
        child.end()
        screen.end()


def nearest(part, whole):
    """What of `whole` is most like `part`, by some hundred of its points."""
    height, width = part.shape[:2]
    rows, columns = whole.shape[0] - height + 1, whole.shape[1] - width + 1
    error = numpy.zeros((rows, columns), numpy.int64)
    chance = numpy.random.default_rng(7)
    for _ in range(200):
        y, x = int(chance.integers(height)), int(chance.integers(width))
        error += numpy.abs(whole[y:y + rows, x:x + columns].astype(numpy.int32) - part[y, x]).sum(axis=2)
    y, x = numpy.unravel_index(numpy.argmin(error), error.shape)
    return whole[y:y + height, x:x + width]


def novnc(bed, view, way, mask, exact):
    if not bed.browser:
        bed.browser = Browser(bed.folder)
    page = bed.browser.page(1000, 800)
    try:
        more = "&exact=1" if exact else ""
        link = f"token={bed.lane.key.token()}{more}" if way == "token" else more[1:]
        page.open(f"https://127.0.0.1:{view.https}/#{link}")
        if way == "password":
            page.state("door")
            page.fill("secret", PASSWORD)
            page.click("enter")
        page.state("on")
        truth = bed.truth(mask)
        bound = float("inf") if exact else LEAST
        until("its canvas shows the masked screen", lambda: psnr(page.canvas(), truth) >= bound)
        return page.canvas()
    finally:
        page.close()


EXACT, LOSSY = float("inf"), LEAST
ROWS = [
    # client, what is special, way, mask, at least so many dB, function, its options
    ("vncsnapshot", "raw", "none", "nothing", LOSSY, vncsnapshot, ["-encodings", "raw"]),
    # Not Tight: it takes the mark of an update's last rectangle for an empty one and waits for ever, with x11vnc too.
    ("vncsnapshot", "zlib", "none", "part", LOSSY, vncsnapshot, ["-encodings", "zlib copyrect"]),
    ("vncsnapshot", "hextile", "password", "nothing", LOSSY, vncsnapshot, ["-encodings", "hextile copyrect"]),
    ("vncsnapshot", "", "password", "all", LOSSY, vncsnapshot, []),
    ("vncdotool", "", "none", "nothing", EXACT, vncdotool, []),
    ("vncdotool", "", "none", "part", EXACT, vncdotool, []),
    ("vncdotool", "", "password", "part", EXACT, vncdotool, []),
    ("vncdotool", "", "password", "all", EXACT, vncdotool, []),
    ("gvnccapture", "", "none", "nothing", EXACT, gvnccapture, []),
    ("gvnccapture", "", "none", "part", EXACT, gvnccapture, []),
    ("gvnccapture", "", "password", "part", EXACT, gvnccapture, []),
    # No token: it takes fewer letters of a password than a token has.
    ("TigerVNC", "auto", "none", "nothing", LOSSY, tigervnc, ["-AutoSelect=1"]),
    ("TigerVNC", "auto", "token", "part", LOSSY, tigervnc, ["-AutoSelect=1"]),
    *[("TigerVNC", name, way, mask, EXACT, tigervnc,
       ["-AutoSelect=0", "-FullColor=1", "-NoJPEG=1", f"-PreferredEncoding={name}"])
      for name, way, mask in [
          ("Tight", "none", "part"), ("ZRLE", "none", "nothing"), ("Hextile", "password", "part"),
          ("Raw", "token", "nothing"), ("ZRLE", "token", "part"), ("Tight", "token", "all")]],
    ("TigerVNC", "view-only", "token", "nothing", EXACT, tigervnc,
     ["-ViewOnly=1", "-AutoSelect=0", "-FullColor=1", "-NoJPEG=1", "-PreferredEncoding=Tight"]),
    ("noVNC", "exact", "none", "nothing", EXACT, novnc, [True]),
    ("noVNC", "exact", "token", "part", EXACT, novnc, [True]),
    ("noVNC", "jpeg", "token", "nothing", LOSSY, novnc, [False]),
    ("noVNC", "exact", "password", "part", EXACT, novnc, [True]),
    ("noVNC", "exact", "token", "all", EXACT, novnc, [True]),
]


def main(only):
    for program in ("vncsnapshot", "gvnccapture", "xtigervncviewer", "tigervncpasswd", "Xvfb", "openssl"):
        if not shutil.which(program):
            sys.exit(f"test-clients needs {program}: make setup installs it")
    bed = Bed()
    failed = 0
    print(f"  {'client':12} {'how':12} {'way in':9} {'hidden':8} result")
    try:
        for client, special, way, mask, least, function, options in ROWS:
            if only not in f"{client} {special} {way} {mask}":
                continue
            bed.lane.agent.say({"basket": "paying" if mask == "all" else "open"})
            started = time.monotonic()
            try:
                # The till is still: the truth of now is the truth of then.
                view = bed.view(way, mask)
                found = function(bed, view, way, mask, *options)
                distance = psnr(found, bed.truth(mask))
                verdict = "equal" if distance == float("inf") else f"{distance:.1f} dB"
                if distance < least:
                    raise Fault(f"{verdict}, of a picture of {found.shape[1]}x{found.shape[0]}")
            except Exception as fault:
                failed += 1
                verdict = f"FAILED: {fault}"
            taken = time.monotonic() - started
            print(f"  {client:12} {special:12} {way:9} {mask:8} {verdict:10} {taken:5.1f} s", flush=True)
        if mute(bed):
            failed += 1
    finally:
        bed.end()
    return failed


def mute(bed):
    """A comparison that cannot fail shows nothing: what is hidden is not what is there."""
    if numpy.array_equal(bed.truth("part"), bed.truth("nothing")) or psnr(bed.truth("part"), bed.truth("nothing")) > LEAST:
        print("  the masked screen is no other than the screen: nothing was shown")
        return True
    return False


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1] if len(sys.argv) > 1 else "") else 0)
