"""A lane to watch: an X server with a till on it, an agent that says what it is told to, and the real `lanewatch-view`.

Everything is on loopback and below one fresh folder; each process is ended by its own number."""

import base64
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("LANEWATCH_BUILT", ROOT / ".build/debug"))
STORE, LANE = "0042", "07"


class Fault(Exception):
    """What did not come, or was not as it should be."""


def until(what, condition, seconds=20.0):
    """Waits until `condition()` is true, and returns what it says."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Fault(f"it did not come within {seconds:.0f} s: {what}")
        time.sleep(0.03)


def die_with_us():
    """In a child: ends it when this program ends, however that happens. Source: prctl(2), PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Child:
    """A process of ours."""

    def __init__(self, words, log=None, **options):
        self.log = log
        out = open(log, "wb") if log else subprocess.DEVNULL
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", out)
        options.setdefault("stderr", out)
        self.process = subprocess.Popen([str(word) for word in words], preexec_fn=die_with_us, **options)
        if log:
            out.close()

    @property
    def is_alive(self):
        return self.process.poll() is None

    def end(self, number=signal.SIGTERM, seconds=10):
        if self.is_alive:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        return self.process.returncode

    def text(self):
        return Path(self.log).read_text(errors="replace") if self.log else ""


class XServer:
    """An X server without a screen, whose pixels are in a file."""

    def __init__(self, folder, width, height):
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        reading, writing = os.pipe()
        self.child = Child(
            ["Xvfb", "-displayfd", writing, "-screen", "0", f"{width}x{height}x24", "-fbdir", self.folder,
             "-nocursor", "-nolisten", "tcp", "-noreset"], pass_fds=[writing], log=self.folder / "log")
        os.close(writing)
        text = b""
        # To its line's end: it dies of a pipe that nobody reads any more.
        while not text.endswith(b"\n"):
            piece = os.read(reading, 16) if select.select([reading], [], [], 20)[0] else b""
            if not piece:
                raise Fault(f"Xvfb did not start: {self.child.text()}")
            text += piece
        self.display = ":" + text.decode().strip()
        os.close(reading)

    @property
    def environment(self):
        return {**os.environ, "DISPLAY": self.display, "XAUTHORITY": "/dev/null"}

    def picture(self):
        """Rows of red, green, blue. Source: X11/XWDFile.h."""
        bytes_ = (self.folder / "Xvfb_screen0").read_bytes()
        head = numpy.frombuffer(bytes_, ">u4", 25)
        size, width, height, stride, colours = (int(head[place]) for place in (0, 4, 5, 12, 19))
        start = size + 12 * colours
        rows = numpy.frombuffer(bytes_, numpy.uint8, stride * height, start).reshape(height, stride)
        return rows[:, :width * 4].reshape(height, width, 4)[:, :, 2::-1].copy()

    def end(self):
        self.child.end()


class Agent:
    """Says the lane's states over a control socket, as docs/reference/control.md has it."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Condition()
        self.revision = 1
        self.states = {"basket": "open"}
        self.open = []
        self.is_over = False
        self.peers = []
        # Who follows, and what revision each has said that it knows.
        self.known = {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            for line in peer.makefile("rb"):
                asked = json.loads(line)
                after = asked.get("after", 0)
                with self.lock:
                    if asked.get("do") == "follow":
                        self.known[peer] = after
                        self.lock.notify_all()
                    self.lock.wait_for(lambda: self.revision != after or self.is_over, 1.0)
                    if self.is_over:
                        return
                    answer = {"ok": True, "revision": self.revision, "states": self.states, "open": self.open}
                peer.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass
        finally:
            with self.lock:
                self.known.pop(peer, None)
                self.lock.notify_all()
            peer.close()

    def followers(self):
        """How many have said that they know what is so now."""
        with self.lock:
            return sum(known == self.revision for known in self.known.values())

    def say(self, states=None, raised=None):
        with self.lock:
            self.states = states if states is not None else self.states
            self.open = raised if raised is not None else self.open
            self.revision += 1
            self.lock.notify_all()
            if not self.lock.wait_for(lambda: all(known == self.revision for known in self.known.values()), 10):
                raise Fault("a view did not take what the agent said")

    def end(self):
        with self.lock:
            self.is_over = True
            self.lock.notify_all()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.path.unlink(missing_ok=True)


class Key:
    """Makes tokens: the layout is that of Sources/View/Access/Token.swift, the signature OpenSSL's."""

    def __init__(self, folder):
        self.private, self.public = folder / "console.pem", folder / "console.pub.pem"
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.private)
        self.openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)
        der = subprocess.run(
            ["openssl", "pkey", "-in", self.private, "-pubout", "-outform", "DER"], check=True, capture_output=True)
        from hashlib import sha256
        self.name = sha256(der.stdout[-32:]).digest()[:4]
        self.folder = folder

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    def token(self, attendant="anna", lane=f"{STORE}/{LANE}", mode="view", intervention="", age=0, seconds=60):
        made = bytes([1, 1 if mode == "control" else 0]) + self.name
        made += (int(time.time()) - age + seconds).to_bytes(8, "big") + bytes([seconds]) + os.urandom(12)
        for name in (attendant, lane, intervention):
            made += bytes([len(name.encode())]) + name.encode()
        plain, signed = self.folder / "plain", self.folder / "signed"
        plain.write_bytes(b"lanewatch view token\n" + made)
        self.openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", plain, "-out", signed)
        return base64.urlsafe_b64encode(made + signed.read_bytes()).decode().rstrip("=")


class Lane:
    """The X server, its till and the agent; `watch` opens a view of it."""

    def __init__(self, width=1024, height=768):
        self.folder = Path(tempfile.mkdtemp(prefix="lanewatch-clients-"))
        self.views = []
        self.count = 0
        self.screen = XServer(self.folder, width, height)
        self.till = Child(
            [BUILT / "demo-kiosk", "--display", self.screen.display], log=self.folder / "kiosk-log",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.screen.environment)
        self.agent = None
        self.start_agent()
        self.key = Key(self.folder)
        (self.folder / "lane.yaml").write_text(
            "format: 1\nstates:\n  basket: {open: pos.state where state = basket_open, "
            "paying: pos.state where state = payment}\nrules:\n"
            "  - {id: a, on: touch, while: basket is open, severity: info, clear_after: 1m}\n")
        for line in ("basket open", "item Milk 1.19", "item Rye bread 2.49", "item Bananas 1.85", "item Coffee 6.99"):
            self.tell(line)

    def start_agent(self):
        self.agent = Agent(self.folder / "control.sock")

    def lines(self):
        """What the till says, as whole lines; waits for one."""
        if not select.select([self.till.process.stdout], [], [], 20)[0]:
            raise Fault("the till says nothing")
        return os.read(self.till.process.stdout.fileno(), 65536).decode().splitlines()

    def tell(self, line):
        """Has the till do something, and waits until it is on the screen. What was touched meanwhile is returned."""
        try:
            self.till.process.stdin.write(line.encode() + b"\n")
            self.till.process.stdin.flush()
        except OSError:
            raise Fault(f"the till has ended: {self.till.text()}{self.screen.child.text()}") from None
        heard = []
        while "ok" not in heard:
            heard += self.lines()
            if any(one.startswith("error") for one in heard):
                raise Fault(f"the till refuses {line}: {heard}")
        return [one for one in heard if one != "ok"]

    def watch(self, **view):
        opened = View(self, view)
        self.views.append(opened)
        return opened

    def picture(self, masks=()):
        """What attendants may see: masks are rectangles, or "all"."""
        pixels = self.screen.picture()
        for mask in masks:
            if mask == "all":
                pixels[:] = 0
            else:
                x, y, width, height = mask
                pixels[y:y + height, x:x + width] = 0
        return pixels

    def end(self):
        for view in self.views:
            view.end()
        self.agent.end()
        self.till.end()
        self.screen.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class View:
    """A running `lanewatch-view` of the lane."""

    def __init__(self, lane, view):
        lane.count += 1
        self.folder = lane.folder / f"view-{lane.count}"
        self.folder.mkdir()
        # The notice would come to the screen between what is expected and what is seen.
        settings = {"display": lane.screen.display, "rfb": "127.0.0.1:0", "https": "127.0.0.1:0", "notice": False, **view}
        # JSON is YAML, too.
        text = json.dumps({
            "format": 1, "store": STORE, "lane": LANE, "rules": str(lane.folder / "lane.yaml"),
            "state": str(self.folder), "kafka": {"bootstrap.servers": "127.0.0.1:9"}, "socket": False,
            "metrics": False, "control": {"path": str(lane.agent.path)}, "log": {"level": "info", "format": "json"},
            "view": settings})
        (self.folder / "lanewatch.yaml").write_text(text)
        self.child = Child(
            [BUILT / "lanewatch-view", "--config", self.folder / "lanewatch.yaml"], log=self.folder / "log",
            env=lane.screen.environment)
        before = lane.agent.followers()
        opened = until("the view is open", self.opened)
        # Until then all is black, and rightly so.
        until("the view knows the lane's state", lambda: lane.agent.followers() > before)
        self.rfb = int(opened["rfb"].rsplit(":", 1)[1]) if "rfb" in opened else None
        self.https = int(opened["https"].rsplit(":", 1)[1]) if "https" in opened else None

    def opened(self):
        if not self.child.is_alive:
            raise Fault(f"the view has ended: {self.child.text()}")
        for line in self.child.text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if "the view is open" in entry.values():
                return entry
        return None

    @property
    def display(self):
        """As VNC viewers count them, from port 5900 on."""
        return self.rfb - 5900

    @property
    def certificate(self):
        return self.folder / "view/identity.pem"

    def end(self):
        self.child.end()


class Cut:
    """A port before another, whose connections can be cut and which can be closed and opened: a network that comes and goes."""

    def __init__(self, port):
        self.to = port
        self.is_open = True
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.is_open:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.to))
            self.pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    @staticmethod
    def carry(one, other):
        try:
            while piece := one.recv(65536):
                other.sendall(piece)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []

    def end(self):
        self.cut()
        self.listener.close()


def read(path):
    with Image.open(path) as image:
        return numpy.asarray(image.convert("RGB"))


def psnr(one, other):
    """In dB; infinite where they are equal."""
    if one.shape != other.shape:
        return 0.0
    error = numpy.mean((one.astype(numpy.int32) - other.astype(numpy.int32)) ** 2)
    return float("inf") if error == 0 else float(10 * numpy.log10(255 * 255 / error))


def place_of(part, whole):
    """Where `part` is within `whole`, exactly: (x, y), or None. A window without a manager may be anywhere."""
    height, width = part.shape[:2]
    if height > whole.shape[0] or width > whole.shape[1]:
        return None
    packed = [(p[:, :, 0].astype(numpy.uint32) << 16) | (p[:, :, 1].astype(numpy.uint32) << 8) | p[:, :, 2]
              for p in (part, whole)]
    rows, columns = whole.shape[0] - height + 1, whole.shape[1] - width + 1
    fits = numpy.ones((rows, columns), bool)
    chance = numpy.random.default_rng(7)
    # The corners and a few points first: what is left is looked at whole.
    points = [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)]
    points += [(int(chance.integers(height)), int(chance.integers(width))) for _ in range(60)]
    for y, x in points:
        fits &= packed[1][y:y + rows, x:x + columns] == packed[0][y, x]
    for y, x in numpy.argwhere(fits)[:50]:
        if numpy.array_equal(packed[1][y:y + height, x:x + width], packed[0]):
            return int(x), int(y)
    return None
