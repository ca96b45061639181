// What of the page is seen and touched. It knows nothing of connections.
import { clock, hiddenText, othersText, raisedText } from './words.js';

const get = (id) => document.getElementById(id);

// Text that only changes where it is another: else screen readers say it anew.
function write(element, text) { if (element.textContent !== text) element.textContent = text; }

export class Face {
  onenter = null;
  onfree = null;
  onagain = null;
  onleave = null;
  oncontrol = null;
  onfit = null;
  onkeyboard = null;
  onfocus = null;

  #isFit = true;
  #said = '';

  constructor() {
    get('door').addEventListener('submit', (event) => {
      event.preventDefault();
      const secret = get('secret').value.trim();
      if (!secret) return this.#fault({ title: 'The token is missing', way: 'Paste the token that you were given.' });
      get('secret').value = '';
      this.onenter?.(get('attendant').value.trim(), secret);
    });
    get('enter-free').addEventListener('click', () => this.onfree?.());
    get('again').addEventListener('click', () => this.onagain?.());
    get('give-up').addEventListener('click', () => this.onleave?.());
    get('leave').addEventListener('click', () => this.onleave?.());
    get('control').addEventListener('click', () => this.oncontrol?.());
    get('fit').addEventListener('click', () => {
      this.#isFit = !this.#isFit;
      this.#press('fit', this.#isFit);
      this.onfit?.();
    });
    get('full').addEventListener('click', () => this.#toggleFull());
    // The field must not lose its focus to the button that closes it.
    get('keyboard').addEventListener('pointerdown', (event) => event.preventDefault());
    get('keyboard').addEventListener('click', () => this.onkeyboard?.());
    for (const name of ['focus', 'blur']) {
      get('typing').addEventListener(name, () => this.#press('keyboard', name === 'focus'));
    }
    document.addEventListener('fullscreenchange', () => {
      this.#press('full', document.fullscreenElement !== null);
      this.onfocus?.();
    });
    get('full').hidden = !document.fullscreenEnabled;
  }

  get screen() { return get('screen'); }
  get typing() { return get('typing'); }

  /** Of `door`, `wait`, `on`, `over`. */
  show(state) {
    document.body.dataset.state = state;
    for (const id of ['door', 'wait', 'over']) get(id).hidden = id !== state;
    if (state === 'on') return;
    document.body.dataset.mode = 'view';
    for (const id of ['veil', 'partly']) get(id).hidden = true;
  }

  name(lane) {
    write(get('lane'), lane || 'Lane');
    document.title = lane || 'Lane';
    write(get('door-title'), lane ? `Watch ${lane}` : 'Watch this lane');
  }

  link(state, text) {
    document.body.dataset.link = state;
    write(get('link-text'), text);
  }

  // MARK: Signing in

  door(card, fault, attendant) {
    this.show('door');
    this.link('', '');
    const hasToken = card.ways.includes('token') || card.ways.includes('code');
    const hasPassword = card.ways.includes('password');
    const isAsked = hasToken || hasPassword;
    const what = hasToken && hasPassword ? 'Token or password' : hasPassword ? 'Password' : 'Token';
    write(get('secret-label'), what);
    write(get('secret-hint'), hasToken ? 'Each token opens one session, within a minute after it was made.' : '');
    for (const id of ['attendant', 'attendant-label', 'attendant-hint']) get(id).hidden = !hasToken;
    for (const id of ['secret', 'secret-label', 'secret-hint', 'enter']) get(id).hidden = !isAsked;
    get('enter-free').hidden = !card.ways.includes('none');
    if (attendant) get('attendant').value = attendant;
    this.#fault(fault);
    if (isAsked) (get('attendant').hidden || get('attendant').value ? get('secret') : get('attendant')).focus();
  }

  #fault(fault) {
    get('fault').hidden = !fault;
    write(get('fault-title'), fault?.title ?? '');
    write(get('fault-way'), fault?.way ?? '');
    get('secret').setAttribute('aria-invalid', String(Boolean(fault)));
  }

  wait(text) {
    this.show('wait');
    write(get('wait-text'), text);
    this.say(text);
  }

  over(title, way) {
    this.show('over');
    this.link('lost', 'Not connected');
    write(get('over-title'), title);
    write(get('over-way'), way);
    if (document.fullscreenElement) document.exitFullscreen();
    get('over-title').focus();
    this.say('');
  }

  // MARK: Watching

  /** Shows the gate's news. Source: docs/reference/page.md. */
  tell(news) {
    const isControl = news.mode === 'control';
    document.body.dataset.mode = isControl ? 'control' : 'view';
    if (news.lane) this.name(news.lane);
    write(get('mode'), isControl ? 'In control' : 'Viewing');
    write(get('since'), `${news.attendant ? `${news.attendant}, ` : ''}since ${clock(news.since)}`);
    write(get('raised'), raisedText(news));
    get('raised').classList.toggle('high', ['high', 'critical'].includes(news.open?.[0]?.severity));
    write(get('others'), othersText(news));
    const control = get('control');
    control.hidden = !news.mayControl;
    control.setAttribute('aria-pressed', String(isControl));
    control.title = isControl ? 'Ctrl+Alt+Home gives control back, too' : 'Keys, clicks and touches go to the lane';
    write(control.querySelector('span'), isControl ? 'Give back' : 'Take control');
    get('keyboard').hidden = !isControl || !matchMedia('(any-pointer: coarse)').matches;
    this.#tellHidden(hiddenText(news));
    this.say(this.#sentence(news, isControl));
  }

  #tellHidden(hidden) {
    get('veil').hidden = !hidden?.all;
    get('partly').hidden = !hidden || hidden.all;
    if (!hidden) return;
    write(get(hidden.all ? 'veil-title' : 'partly'), hidden.title);
    write(get('veil-why'), hidden.why);
  }

  #sentence(news, isControl) {
    const denied = news.denied ? 'Control was not given: somebody else has it, or it is not allowed.' : '';
    const mode = isControl ? 'In control' : 'Viewing';
    const parts = [mode, hiddenText(news)?.title ?? '', raisedText(news), othersText(news)];
    if (denied) this.link('wait', denied);
    else if (document.body.dataset.state === 'on') this.link('live', 'Live');
    return [denied, ...parts].filter(Boolean).join('. ');
  }

  /** For who listens to the page instead of looking at it. */
  say(text) {
    if (text === this.#said) return;
    this.#said = text;
    get('live').textContent = text;
  }

  // MARK: Tools

  /** As large as there is room, or pixel by pixel: then fingers move the picture, as long as they do nothing on the lane. */
  fit(rfb) {
    const isTouched = matchMedia('(any-pointer: coarse)').matches;
    rfb.scaleViewport = this.#isFit;
    rfb.clipViewport = !this.#isFit && isTouched;
    rfb.dragViewport = rfb.clipViewport && rfb.viewOnly;
  }

  focusTools() { get('control').focus(); }

  #press(id, isOn) { get(id).setAttribute('aria-pressed', String(isOn)); }

  async #toggleFull() {
    if (document.fullscreenElement) {
      await document.exitFullscreen();
    } else {
      await document.documentElement.requestFullscreen({ navigationUI: 'hide' });
      // Else the browser keeps Escape, Alt+Tab and others for itself.
      await navigator.keyboard?.lock?.().catch(() => {});
    }
    this.onfocus?.();
  }
}
