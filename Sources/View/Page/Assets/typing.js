// The tablet's own keyboard for the lane: a field that nobody sees, whose changes become keys.

const filler = '_'.repeat(64);

// Keys that leave no letter in a field. Source: X11/keysymdef.h.
const keysyms = {
  Backspace: 0xff08, Tab: 0xff09, Enter: 0xff0d, Escape: 0xff1b, Delete: 0xffff, Home: 0xff50, End: 0xff57,
  ArrowLeft: 0xff51, ArrowUp: 0xff52, ArrowRight: 0xff53, ArrowDown: 0xff54, PageUp: 0xff55, PageDown: 0xff56,
};

/** Latin-1 is its own keysym; all else is Unicode's with a mark. Source: X11/keysymdef.h. */
export function keysymOf(letter) {
  const code = letter.codePointAt(0);
  if (code === 0x0a) return keysyms.Enter;
  if (code === 0x09) return keysyms.Tab;
  if ((code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code <= 0xff)) return code;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0 : 0x01000000 | code;
}

/** What has to be pressed for `before` to become `after`: so many backspaces, then letters. */
export function difference(before, after) {
  let same = 0;
  while (same < before.length && same < after.length && before[same] === after[same]) same += 1;
  return { back: before.length - same, letters: [...after.slice(same)] };
}

export class Typing {
  #field;
  #press;
  #last = filler;

  /** `press(keysym)` presses a key and lets it go. */
  constructor(field, press) {
    this.#field = field;
    this.#press = press;
    field.addEventListener('input', () => this.#changed());
    field.addEventListener('keydown', (event) => this.#key(event));
  }

  get isOpen() { return document.activeElement === this.#field; }

  open() {
    this.#reset();
    this.#field.focus();
  }

  close() { this.#field.blur(); }

  #reset() {
    this.#field.value = filler;
    this.#field.setSelectionRange(filler.length, filler.length);
    this.#last = filler;
  }

  #changed() {
    const { back, letters } = difference(this.#last, this.#field.value);
    this.#last = this.#field.value;
    for (let count = 0; count < back; count += 1) this.#press(keysyms.Backspace);
    for (const letter of letters) {
      const keysym = keysymOf(letter);
      if (keysym) this.#press(keysym);
    }
    // Neither empty, as nothing could be deleted then, nor ever longer.
    if (this.#last.length < 8 || this.#last.length > 512) this.#reset();
  }

  #key(event) {
    const keysym = keysyms[event.key];
    // These two change the field, by which they are seen.
    if (!keysym || event.key === 'Backspace' || event.key === 'Enter') return;
    event.preventDefault();
    this.#press(keysym);
  }
}
