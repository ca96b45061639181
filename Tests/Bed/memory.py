"""Looks for secrets in a running program's memory, in every shape they may have been left in."""

import re

from layouts import US

EV_KEY = 1


def patterns(text, window):
    """(shape, compiled pattern) for every part of `text` that is `window` characters long.

    Parts of fewer than four different characters are left out: memory is full of zeros."""
    parts = {text[at:at + window] for at in range(len(text) - window + 1)}
    parts = sorted(part for part in parts if len(set(part)) >= 4)

    def any_of(encode):
        return re.compile(b"|".join(encode(part) for part in parts), re.DOTALL)

    yield "ASCII", any_of(lambda part: re.escape(part.encode("latin-1")))
    yield "UTF-16", any_of(lambda part: re.escape(part.encode("utf-16-le")))
    yield "UTF-32", any_of(lambda part: re.escape(part.encode("utf-32-le")))
    digits = [part for part in parts if part.isdigit()]
    if digits:
        yield "digits", re.compile(b"|".join(re.escape(bytes(int(c) for c in part)) for part in digits), re.DOTALL)
    yield "key codes, 16 bit", any_of(lambda part: re.escape(
        b"".join(US[c][0].to_bytes(2, "little") for c in part if c in US)))
    yield "input events", any_of(events)


def events(part):
    """Presses of the keys of `part` as struct input_event, with at most five other events between two of them."""
    pattern = b""
    for character in part:
        if character in US:
            press = EV_KEY.to_bytes(2, "little") + US[character][0].to_bytes(2, "little") + b"\x01\x00\x00\x00"
            pattern += (b"(?:.{24}){0,5}?" if pattern else b"") + b".{16}" + re.escape(press)
    return pattern


PIECE, OVERLAP = 16 << 20, 4096
# Larger regions are reserved, not used: the address sanitizer's shadow has terabytes.
LARGEST = 4 << 30


def pieces(pid):
    """The content of the writable memory of `pid`, in pieces that overlap by more than any pattern is long."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            fields = line.split()
            start, end = (int(number, 16) for number in fields[0].split("-"))
            if "w" not in fields[1] or end - start > LARGEST:
                continue
            for place in range(start, end, PIECE):
                try:
                    memory.seek(place)
                    content = memory.read(min(PIECE + OVERLAP, end - place))
                except OSError:
                    continue
                if content.strip(b"\0"):
                    yield content


def search(pid, text, window):
    """{shape: how often}, for the writable memory of `pid`."""
    found = {}
    shapes = list(patterns(text, window))
    for content in pieces(pid):
        for shape, pattern in shapes:
            count = len(pattern.findall(content))
            if count:
                found[shape] = found.get(shape, 0) + count
    return found
