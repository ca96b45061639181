"""Pretended input devices: what evdev's ioctls answer, and a pty that carries struct input_event.

Sources: linux/input.h (requests and structures), drivers/input/evdev.c's behaviour as evtest and libevdev see it.
"""

import errno
import fcntl
import os
import pty
import struct
import termios
import threading
import time
import tty

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import GLib, UMockdev  # noqa: E402

EV_SYN, EV_KEY, EV_REL, EV_ABS, EV_MSC, EV_LED, EV_REP = 0, 1, 2, 3, 4, 17, 20
SYN_REPORT, SYN_DROPPED = 0, 3
BTN_TOUCH, BTN_LEFT = 0x14A, 0x110
ABS_X, ABS_Y, ABS_MT_SLOT, ABS_MT_X, ABS_MT_Y, ABS_MT_TRACKING_ID = 0, 1, 0x2F, 0x35, 0x36, 0x39

KEYBOARD = {"keys": list(range(1, 84)) + list(range(85, 129)) + [183], "rel": [], "abs": {}, "leds": [0, 1, 2]}
# What the kinds of devices pretend to be; ids are those of the hwdb.
PRESETS = {
    "scanner": dict(KEYBOARD, name="Symbol Technologies, Inc, 2008 Symbol Bar Code Scanner", vendor=0x05E0,
                    product=0x1200),
    "msr": dict(KEYBOARD, name="Mag-Tek USB Swipe Reader", vendor=0x0801, product=0x0001),
    "keypad": dict(KEYBOARD, name="HOLTEK USB Keypad", vendor=0x04D9, product=0x1203),
    "keyboard": dict(KEYBOARD, name="Logitech USB Keyboard", vendor=0x046D, product=0xC31C),
    "touch": {"name": "Elo TouchSystems Touch", "vendor": 0x04E7, "product": 0x0020, "keys": [BTN_TOUCH], "rel": [],
              "leds": [], "abs": {ABS_X: 4095, ABS_Y: 4095}},
    "multitouch": {"name": "ELAN Touchscreen", "vendor": 0x04F3, "product": 0x0001, "keys": [BTN_TOUCH], "rel": [],
                   "leds": [], "abs": {ABS_X: 4095, ABS_Y: 4095, ABS_MT_SLOT: 9, ABS_MT_X: 4095, ABS_MT_Y: 4095,
                                       ABS_MT_TRACKING_ID: 65535}},
    "mouse": {"name": "Logitech USB Mouse", "vendor": 0x046D, "product": 0xC077, "keys": [BTN_LEFT], "rel": [0, 1],
              "leds": [], "abs": {}},
}


def bits(numbers, size):
    value = bytearray(size)
    for number in numbers:
        if number // 8 < size:
            value[number // 8] |= 1 << (number % 8)
    return bytes(value)


class Device:
    """One plugged device: lives until it is unplugged, and is never plugged again."""

    def __init__(self, description, phys):
        self.description = description
        self.phys = phys
        self.gone = False
        self.clock = time.CLOCK_REALTIME
        self.pressed = set()
        self.opens = 0
        self.grabs = 0
        self.ready = threading.Event()
        self.clients = 0
        self.tracking = 0
        self.lock = threading.Lock()
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        fcntl.fcntl(self.master, fcntl.F_SETFL, os.O_NONBLOCK)

    @property
    def node(self):
        return os.ttyname(self.slave)

    def connected(self):
        """A program opened the node. It starts with an empty queue and the wall clock, as the kernel has it."""
        with self.lock:
            if not self.gone:
                termios.tcflush(self.slave, termios.TCIFLUSH)
            self.clock = time.CLOCK_REALTIME
            self.clients += 1
            self.opens += 1

    def vanished(self):
        with self.lock:
            self.clients -= 1

    def remove(self):
        """Readers see a hang-up, then ENODEV. The slave stays open, so that its number is not given out again."""
        with self.lock:
            self.gone = True
            os.close(self.master)

    def write(self, events):
        """Writes (type, code, value) and a SYN_REPORT, stamped now. Without a reader they are lost, as in the kernel."""
        stamp = time.clock_gettime_ns(self.clock)
        packed = b""
        for kind, code, value in list(events) + [(EV_SYN, SYN_REPORT, 0)]:
            if kind == EV_KEY:
                (self.pressed.add if value else self.pressed.discard)(code)
            packed += struct.pack("<qqHHi", stamp // 10**9, stamp % 10**9 // 1000, kind, code, value)
        with self.lock:
            if self.gone:
                raise ValueError("the device is unplugged")
            if self.clients == 0:
                return
            try:
                if os.write(self.master, packed) != len(packed):
                    raise ValueError("the reader is stuck: an event was cut")
            except BlockingIOError:
                raise ValueError("the reader is stuck: the queue is full")

    # What each request answers: (result, bytes for the caller's buffer).

    def answer(self, number, size, argument, incoming):
        about = self.description
        if number == 0x01:
            return 0, struct.pack("<i", 0x010001)
        if number == 0x02:
            return 0, struct.pack("<4H", 3, about["vendor"], about["product"], 0x0111)
        if number == 0x03:
            return 0, struct.pack("<2I", 250, 33)
        if number in (0x06, 0x07):
            text = (about["name"] if number == 0x06 else self.phys).encode() + b"\0"
            return min(len(text), size), text[:size]
        if number == 0x08:
            return -errno.ENOENT, b""
        if number == 0x09:
            return size, bits([1] if ABS_X in about["abs"] else [], size)
        if number == 0x0A:
            return 0, incoming[:4] + b"\xff" * (size - 4)
        if number == 0x18:
            return size, bits(self.pressed, size)
        if number in (0x19, 0x1A, 0x1B):
            return size, bytes(size)
        if 0x20 <= number < 0x40:
            return size, bits(self.supported(number - 0x20), size)
        if 0x40 <= number < 0x80:
            return 0, struct.pack("<6i", 0, 0, about["abs"].get(number - 0x40, 0), 0, 0, 0)
        if number == 0x90:
            if argument:
                self.grabs += 1
            return 0, b""
        if number == 0xA0:
            self.clock = struct.unpack("<i", incoming[:4])[0]
            self.ready.set()
            return 0, b""
        return -errno.EINVAL, b""

    def supported(self, kind):
        about = self.description
        lists = {EV_KEY: about["keys"], EV_REL: about["rel"], EV_ABS: list(about["abs"]), EV_LED: about["leds"]}
        if kind == 0:
            return [EV_SYN] + [k for k, v in lists.items() if v] + ([EV_REP] if about["leds"] else [])
        return lists.get(kind, [])


class Node(UMockdev.IoctlBase):
    """Answers a device node's requests. It stays attached for good: another device may come to the same node."""

    def __init__(self):
        super().__init__()
        self.device = None
        self.opened = {}

    def do_client_connected(self, client):
        self.opened[hash(client)] = (client, self.device)
        if self.device:
            self.device.connected()

    def do_client_vanished(self, client):
        _, device = self.opened.pop(hash(client), (None, None))
        if device:
            device.vanished()

    def do_handle_ioctl(self, client):
        _, device = self.opened.get(hash(client), (None, None))
        request = client.get_request()
        if (request >> 8) & 0xFF != ord("E"):
            return False
        if device is None or device.gone:
            client.complete(-1, errno.ENODEV)
            return True
        try:
            self.serve(client, device, request)
        except GLib.Error:
            pass  # The program ended in the middle of its request.
        return True

    @staticmethod
    def serve(client, device, request):
        size, number = (request >> 16) & 0x3FFF, request & 0xFF
        argument = client.get_arg()
        value = int.from_bytes(bytes(argument.retrieve())[:8], "little")
        memory = argument.resolve(0, size) if size and number != 0x90 else None
        incoming = bytes(memory.retrieve()) if memory else b""
        result, answer = device.answer(number, size, value, incoming)
        if memory and answer:
            memory.update(0, answer)
        client.complete(-1 if result < 0 else result, -result if result < 0 else 0)

    def do_handle_read(self, client):
        _, device = self.opened.get(hash(client), (None, None))
        if device is None or device.gone:
            client.complete(-1, errno.ENODEV)
            return True
        return False
