"""What a wedge scanner types: characters to key presses, by layout.

Written by hand from the keyboards' own pictures, on purpose not from xkbcommon: the agent decodes with xkbcommon, and a
test of one by the other must not share its tables. Codes are those of linux/input-event-codes.h.
"""

ENTER, TAB, KPENTER, DOWN, NUMLOCK = 28, 15, 96, 108, 69
LEFTCTRL, LEFTSHIFT, LEFTALT, RIGHTALT, SPACE = 29, 42, 56, 100, 57
KEYPAD = {"0": 82, "1": 79, "2": 80, "3": 81, "4": 75, "5": 76, "6": 77, "7": 71, "8": 72, "9": 73}

_LETTERS = dict(zip("qwertyuiop", range(16, 26)))
_LETTERS.update(zip("asdfghjkl", range(30, 39)))
_LETTERS.update(zip("zxcvbnm", range(44, 51)))


def _table(plain, shifted, third=()):
    """Each argument is a list of (characters, first key code): characters lie on consecutive keys."""
    table = {}
    for modifier, rows in ((None, plain), (LEFTSHIFT, shifted), (RIGHTALT, third)):
        for characters, first in rows:
            for offset, character in enumerate(characters):
                if character != " ":
                    table[character] = (first + offset, modifier)
    table[" "] = (SPACE, None)
    return table


def _letters(table, swaps=()):
    where = dict(_LETTERS)
    for a, b in swaps:
        where[a], where[b] = where[b], where[a]
    for letter, code in where.items():
        table[letter] = (code, None)
        table[letter.upper()] = (code, LEFTSHIFT)
    return table


US = _letters(_table(
    [("1234567890-=", 2), ("[]", 26), (";'`", 39), ("\\", 43), (",./", 51)],
    [("!@#$%^&*()_+", 2), ("{}", 26), (":\"~", 39), ("|", 43), ("<>?", 51)]))

# Dead keys (^ ´ `) are left out: a German scanner types them as a dead key and a space, see `strokes`.
DE = _letters(_table(
    [("1234567890ß", 2), ("ü+", 26), ("öä", 39), ("#", 43), (",.-", 51), ("<", 86)],
    [("!\"§$%&/()=?", 2), ("Ü*", 26), ("ÖÄ", 39), ("'", 43), (";:_", 51), (">", 86)],
    [("{[]}\\", 8), ("@", 16), ("~", 27), ("|", 86)]), swaps=[("z", "y")])

# Letters, digits and what codes need: the French keyboard types digits with Shift.
FR = _letters(_table(
    [("&é\"'(-è_çà)=", 2), (",;:!", 50)],
    [("1234567890°+", 2), ("?./§", 50)],
    [("#{[|`\\^@]}", 4)]), swaps=[("a", "q"), ("z", "w")])
FR["m"], FR["M"] = (39, None), (39, LEFTSHIFT)

TABLES = {"us": US, "de": DE, "fr": FR}
_DEAD = {"de": {"^": (41, None), "`": (13, LEFTSHIFT), "´": (13, None)}}


def strokes(text, layout="us", alt=False):
    """The presses and releases that type `text`: per character a list of (key code, value).

    A control character is Ctrl and the US key of the letter 64 above it, as wedge scanners do (GS: Ctrl and the key of `]`).
    With `alt`, every character is Alt held and its code on the keypad, three digits with a leading 0, NumLock tapped
    before and after, as scanners in ALT-ASCII mode do."""
    table = TABLES[layout]
    result = []
    for character in text:
        if alt:
            result.append(_numpad(character))
            continue
        if ord(character) < 32:
            code, _ = US[chr(ord(character) + 64).lower()]
            result.append(_tap(code, LEFTCTRL))
        elif character in _DEAD.get(layout, {}):
            code, modifier = _DEAD[layout][character]
            result.append(_tap(code, modifier) + _tap(SPACE, None))
        elif character in table:
            code, modifier = table[character]
            result.append(_tap(code, modifier))
        else:
            raise ValueError("layout %s has no key for %r" % (layout, character))
    return result


def _tap(code, modifier):
    taps = [(code, 1), (code, 0)]
    return [(modifier, 1)] + taps + [(modifier, 0)] if modifier else taps


def _numpad(character):
    taps = [(NUMLOCK, 1), (NUMLOCK, 0), (LEFTALT, 1)]
    for digit in "%03d" % ord(character) if ord(character) < 100 else "0%d" % ord(character):
        taps += [(KEYPAD[digit], 1), (KEYPAD[digit], 0)]
    return taps + [(LEFTALT, 0), (NUMLOCK, 1), (NUMLOCK, 0)]


SUFFIXES = {
    "enter": [[(ENTER, 1), (ENTER, 0)]],
    "kpenter": [[(KPENTER, 1), (KPENTER, 0)]],
    "tab": [[(TAB, 1), (TAB, 0)]],
    "crlf": [[(ENTER, 1), (ENTER, 0)], _tap(36, LEFTCTRL)],
    "crdown": [[(ENTER, 1), (ENTER, 0)], [(DOWN, 1), (DOWN, 0)]],
    "lf": [_tap(36, LEFTCTRL)],
    "none": [],
}
