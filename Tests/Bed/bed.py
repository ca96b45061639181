#!/usr/bin/python3
"""A test bed of pretended input devices, on libumockdev. No root, no uinput, no /dev/input needed.

It plays a lane's devices to real programs: each device is a node under /dev with a pty behind it that carries struct
input_event, every evdev request is answered from a description, and udev's monitor and enumeration see the device come and
go. Programs started from here see all that (LD_PRELOAD and UMOCKDEV_DIR are set for them); devices outlive them.

Commands come on stdin, or from a scenario file given as the only argument: one a line, words as in a shell, `#` begins a
comment. Each is answered by one line, in order: `ok …`, `error …`, or `grab N`. In between come lines of the programs:
`child NAME LINE` for each line they write, `exit NAME CODE` when one ends (a signal's number is negative). From a file,
the first error ends the bed with code 1.

  plug ID KIND [node=event3] [class=input|hidraw|tty|usb-printer] [vendor=05e0] [product=1200] [name=…] [phys=…]
               [link=by-id/…] [prop=KEY=VALUE …] [hidden]
                              KIND: scanner msr keypad keyboard touch multitouch mouse. hidden: the node appears by `show`
  show ID                     the node appears, with a `change` uevent
  unplug ID                   node and device go, readers get ENODEV
  start NAME PROGRAM [ARG …]  VARIABLE=VALUE words before PROGRAM go into its environment
  kill NAME [SIGNAL]          KILL unless told
  reap NAME MS                waits for its end: `ok CODE`
  await NAME MS TEXT          waits for a line of NAME that contains TEXT; lines before the one found last do not count
  memory NAME TEXT [window=8] an error when any WINDOW characters of TEXT are in NAME's memory: as text of 8, 16 or 32 bits,
                              as digits, as key codes, as struct input_event
  opened ID MS                waits until a program has opened ID and set its clock; each opening is awaited once
  wait MS
  scan ID TEXT [gap=4] [hold=0] [suffix=enter] [layout=us] [alt] [first=enter] [drop=AT:COUNT]
                              types TEXT (\\x1d and the like are read): gap ms from key to key, hold ms down. suffix: enter
                              kpenter tab crlf crdown lf none; first=enter: an Enter before the text too; drop: from
                              character AT on COUNT characters are lost and SYN_DROPPED stands in their place
  key ID CODE [VALUE …]       VALUEs 1 0 unless told; 2 is auto-repeat
  tap ID X Y                  a finger down and up;  drag ID X Y X Y …
  swipe ID TRACK [TRACK …] [gap=2]   types the tracks as given, an Enter after the last
  drop ID                     SYN_DROPPED alone
  grab ID                     `grab N`: how often EVIOCGRAB was asked for
  expect ID grab=0 [opens=1]  an error unless it is so
  end
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import memory
from devices import (ABS_MT_SLOT, ABS_MT_TRACKING_ID, ABS_MT_X, ABS_MT_Y, ABS_X, ABS_Y, BTN_TOUCH, EV_ABS, EV_KEY,
                     EV_SYN, PRESETS, SYN_DROPPED, Device, Node, UMockdev)
from layouts import ENTER, SUFFIXES, strokes

PRELOAD = "libumockdev-preload.so.0"


def options(words, names):
    """Splits `words` into plain ones and a dict of NAME=VALUE, for the names known here; flags are words alone."""
    plain, found = [], {}
    for word in words:
        name, equals, value = word.partition("=")
        if name in names and (equals or names[name] is bool):
            if names[name] is list:
                found.setdefault(name, []).append(value)
            else:
                found[name] = True if names[name] is bool else names[name](value)
        else:
            plain.append(word)
    return plain, found


class Child:
    def __init__(self, bed, name, words):
        environment = dict(os.environ, LD_PRELOAD=PRELOAD, UMOCKDEV_DIR=bed.root)
        while words and "=" in words[0] and "/" not in words[0].partition("=")[0]:
            variable, _, value = words.pop(0).partition("=")
            environment[variable] = value
        self.bed, self.name, self.lines, self.read = bed, name, [], 0
        self.changed = threading.Condition()
        self.ended = False
        self.process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self):
        for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            self.bed.say("child %s %s" % (self.name, text))
            with self.changed:
                self.lines.append(text)
                self.changed.notify_all()
        code = self.process.wait()
        self.bed.say("exit %s %d" % (self.name, code))
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, milliseconds, test, what):
        with self.changed:
            if not self.changed.wait_for(test, milliseconds / 1000):
                raise ValueError("%s: %s, not within %d ms" % (self.name, what, milliseconds))


class Bed:
    def __init__(self):
        self.testbed = UMockdev.Testbed.new()
        self.root = self.testbed.get_root_dir()
        self.devices, self.places, self.nodes, self.children = {}, {}, {}, {}
        self.plugged = 0
        self.mouth = threading.Lock()

    def say(self, line):
        with self.mouth:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def device(self, name):
        if name not in self.devices:
            raise ValueError("no device %s is plugged" % name)
        return self.devices[name]

    # MARK: Coming and going

    def plug(self, name, kind, *words):
        if name in self.devices:
            raise ValueError("%s is plugged already" % name)
        rest, told = options(words, {"node": str, "class": str, "vendor": str, "product": str, "name": str, "phys": str,
                                     "link": str, "prop": list, "hidden": bool})
        if rest or kind not in PRESETS:
            raise ValueError("plug does not know %s" % (rest[0] if rest else kind))
        about = dict(PRESETS[kind])
        about["name"] = told.get("name", about["name"])
        for part in ("vendor", "product"):
            about[part] = int(told[part], 16) if part in told else about[part]
        self.plugged += 1
        where = "pci0000:00/usb1/1-%d" % self.plugged
        what = told.get("class", "input")
        node = told.get("node", {"input": "event", "hidraw": "hidraw", "tty": "ttyACM", "usb-printer": "lp"}[what]
                        + str(self.plugged))
        device = Device(about, told.get("phys", "usb-0000:00:14.0-%d/input0" % self.plugged))
        folder = {"input": "/dev/input/", "usb-printer": "/dev/usb/"}.get(what, "/dev/")
        path = folder + node
        if os.path.lexists(self.root + path):
            raise ValueError("%s is taken" % path)
        shared = ["ID_VENDOR_ID", "%04x" % about["vendor"], "ID_MODEL_ID", "%04x" % about["product"], "ID_BUS", "usb"]
        for pair in told.get("prop", []):
            shared += pair.split("=", 1)
        if "link" in told:
            shared += ["DEVLINKS", "/dev/input/" + told["link"]]
        minor = str(64 + int("".join(c for c in node if c.isdigit()) or 0))
        own = ["DEVNAME", path, "MAJOR", "13", "MINOR", minor] + shared
        added = [("usb", where, [], ["DEVTYPE", "usb_device"])]
        if what == "input":
            parent = where + "/input/input%d" % (100 + self.plugged)
            added.append(("input", parent, ["name", about["name"], "phys", device.phys, "id/vendor",
                                            "%04x" % about["vendor"], "id/product", "%04x" % about["product"]],
                          ["NAME", '"%s"' % about["name"], "PHYS", '"%s"' % device.phys] + shared))
            added.append(("input", parent + "/" + node, ["dev", "13:" + minor], own + ["ID_INPUT", "1"]))
        elif what == "hidraw":
            parent = where + "/0003:%04X:%04X.%04X" % (about["vendor"], about["product"], self.plugged)
            added.append(("hid", parent, [], ["HID_NAME", about["name"], "HID_PHYS", device.phys]))
            added.append(("hidraw", parent + "/hidraw/" + node, ["dev", "13:" + minor], own))
        else:
            added.append(("tty" if what == "tty" else "usbmisc", where + "/" + node, ["dev", "13:" + minor], own))
        handler = self.nodes.get(path)
        if handler is None:
            handler = self.nodes[path] = Node()
            self.testbed.attach_ioctl(path, handler)
        handler.device = device
        self.devices[name] = device
        self.places[name] = [path, []]
        if "hidden" not in told:
            self.link(device, path)
        for subsystem, place, attributes, properties in added:
            # add_device sends the uevent `add` itself.
            self.places[name][1].append(self.testbed.add_device(subsystem, place, None, attributes, properties))

    def link(self, device, path):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        os.symlink(device.node, self.root + path)

    def show(self, name):
        self.link(self.device(name), self.places[name][0])
        self.testbed.uevent(self.places[name][1][-1], "change")

    def unplug(self, name):
        device = self.device(name)
        path, added = self.places.pop(name)
        if os.path.lexists(self.root + path):
            os.unlink(self.root + path)
        device.remove()
        del self.devices[name]
        for place in reversed(added):
            self.testbed.uevent(place, "remove")
            self.testbed.remove_device(place)

    # MARK: Programs

    def start(self, name, *words):
        if name in self.children and not self.children[name].ended:
            raise ValueError("%s runs already" % name)
        self.children[name] = Child(self, name, list(words))
        return str(self.children[name].process.pid)

    def child(self, name):
        if name not in self.children:
            raise ValueError("no program %s was started" % name)
        return self.children[name]

    def kill(self, name, which="KILL"):
        self.child(name).process.send_signal(getattr(signal, "SIG" + which))

    def reap(self, name, milliseconds):
        child = self.child(name)
        child.wait_for(int(milliseconds), lambda: child.ended, "its end")
        return str(child.process.returncode)

    def await_line(self, name, milliseconds, text):
        child = self.child(name)

        def found():
            for place in range(child.read, len(child.lines)):
                if text in child.lines[place]:
                    child.read = place + 1
                    return True
            return False

        child.wait_for(int(milliseconds), found, "a line with %r" % text)

    def memory(self, name, text, *words):
        rest, told = options(words, {"window": int})
        if rest:
            raise ValueError("memory does not know %s" % rest[0])
        found = memory.search(self.child(name).process.pid, text, told.get("window", 8))
        if found:
            raise ValueError("found as " + ", ".join("%s %d times" % pair for pair in sorted(found.items())))

    def opened(self, name, milliseconds):
        ready = self.device(name).ready
        if not ready.wait(int(milliseconds) / 1000):
            raise ValueError("%s: nobody opened it within %s ms" % (name, milliseconds))
        ready.clear()

    # MARK: Typing and touching

    def type(self, device, groups, gap, hold):
        """One group is a character: its first press comes `gap` ms after the one before, its events `hold` ms apart."""
        due = time.monotonic()
        for group in groups:
            time.sleep(max(0.0, due - time.monotonic()))
            for place, (code, value) in enumerate(group):
                if value == 0 and hold and place:
                    time.sleep(hold / 1000)
                device.write([(EV_KEY, code, value)])
            due = max(due + gap / 1000, time.monotonic())

    def scan(self, name, text, *words):
        rest, told = options(words, {"gap": float, "hold": float, "suffix": str, "layout": str, "alt": bool, "first": str,
                                     "drop": str})
        if rest:
            raise ValueError("scan does not know %s" % rest[0])
        device, gap, hold = self.device(name), told.get("gap", 4), told.get("hold", 0)
        text = text.encode("latin-1", "backslashreplace").decode("unicode_escape")
        groups = strokes(text, told.get("layout", "us"), "alt" in told)
        if "first" in told:
            groups = SUFFIXES[told["first"]] + groups
        end = SUFFIXES[told.get("suffix", "enter")]
        if "drop" not in told:
            return self.type(device, groups + end, gap, hold)
        at, count = (int(number) for number in told["drop"].split(":"))
        self.type(device, groups[:at], gap, hold)
        device.write([(EV_SYN, SYN_DROPPED, 0)])
        self.type(device, groups[at + count:] + end, gap, hold)

    def key(self, name, code, *values):
        for value in values or ("1", "0"):
            self.device(name).write([(EV_KEY, int(code), int(value))])

    def swipe(self, name, *words):
        tracks, told = options(words, {"gap": float})
        groups = [group for track in tracks for group in strokes(track)] + [[(ENTER, 1), (ENTER, 0)]]
        self.type(self.device(name), groups, told.get("gap", 2), 0)

    def tap(self, name, x, y):
        self.drag(name, x, y)

    def drag(self, name, *numbers):
        device = self.device(name)
        points = [(int(x), int(y)) for x, y in zip(numbers[::2], numbers[1::2])]
        many = ABS_MT_SLOT in device.description["abs"]
        for place, (x, y) in enumerate(points):
            events = [(EV_ABS, ABS_X, x), (EV_ABS, ABS_Y, y)]
            if many:
                events = [(EV_ABS, ABS_MT_SLOT, 0), (EV_ABS, ABS_MT_X, x), (EV_ABS, ABS_MT_Y, y)] + events
            if place == 0:
                device.tracking += 1
                events = ([(EV_ABS, ABS_MT_TRACKING_ID, device.tracking)] if many else []) + [
                    (EV_KEY, BTN_TOUCH, 1)] + events
            device.write(events)
            time.sleep(0.008)
        device.write(([(EV_ABS, ABS_MT_TRACKING_ID, -1)] if many else []) + [(EV_KEY, BTN_TOUCH, 0)])

    def drop(self, name):
        self.device(name).write([(EV_SYN, SYN_DROPPED, 0)])

    # MARK: Checks

    def expect(self, name, *words):
        device = self.device(name)
        rest, told = options(words, {"grab": int, "opens": int})
        if rest:
            raise ValueError("expect does not know %s" % rest[0])
        for what, found in (("grab", device.grabs), ("opens", device.opens)):
            if what in told and told[what] != found:
                raise ValueError("%s: %s is %d, not %d" % (name, what, found, told[what]))

    def close(self):
        for child in self.children.values():
            if not child.ended:
                child.process.kill()
                child.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def obey(self, line):
        """Does what one line says and returns its answer."""
        verbs = {"plug": self.plug, "show": self.show, "unplug": self.unplug, "start": self.start, "kill": self.kill,
                 "reap": self.reap, "await": self.await_line, "opened": self.opened, "scan": self.scan, "key": self.key,
                 "tap": self.tap, "drag": self.drag, "swipe": self.swipe, "drop": self.drop, "expect": self.expect, "memory": self.memory,
                 "wait": lambda milliseconds: time.sleep(int(milliseconds) / 1000)}
        words = ["line"]
        try:
            words = shlex.split(line, comments=True)
            if words[0] == "grab":
                return "grab %d" % self.device(words[1]).grabs
            if words[0] not in verbs:
                raise ValueError("no such command: %s" % words[0])
            result = verbs[words[0]](*words[1:])
            return "ok" if result is None else "ok " + result
        except (ValueError, TypeError, KeyError, IndexError, OSError) as fault:
            return "error %s: %s" % (words[0], fault)


def main():
    if PRELOAD not in os.environ.get("LD_PRELOAD", ""):
        # umockdev sends uevents through libudev, which must see the pretended /sys too.
        os.execve(sys.executable, [sys.executable] + sys.argv, dict(os.environ, LD_PRELOAD=PRELOAD))
    bed = Bed()
    from_file = len(sys.argv) > 1
    source = open(sys.argv[1]) if from_file else sys.stdin
    code = 0
    try:
        bed.say("ok bed %s" % bed.root)
        for line in source:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if line.split()[0] == "end":
                break
            answer = bed.obey(line)
            bed.say(answer)
            if from_file and answer.startswith("error"):
                code = 1
                break
    finally:
        bed.close()
    bed.say("ok end" if code == 0 else "error end")
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
