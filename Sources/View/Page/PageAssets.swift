// Made of Sources/View/Page/Assets by `make generate`.
// swift-format-ignore-file

/// The page's own files, by their names.
enum PageAssets {
    static let all: [String: StaticString] = [
        "channel.js": channel_js,
        "face.js": face_js,
        "icon.svg": icon_svg,
        "index.html": index_html,
        "lane.js": lane_js,
        "missing.html": missing_html,
        "page.css": page_css,
        "typing.js": typing_js,
        "words.js": words_js,
    ]

    private static let channel_js: StaticString = ##"""
// The WebSocket to the lane. Its binary messages are RFB's and go to noVNC, which takes this for a WebSocket; its texts are the
// gate's news, and go to the page.
export const protocols = ['lanewatch.v1', 'binary'];

// From the worst to the best quality of JPEG: without any of them the lane's picture comes exactly as it is.
const qualities = [-32, -23];

export class Channel {
  #socket;
  #isExact;

  /** What RFB's user sets: noVNC does. */
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  /** What the page sets: called with each of the gate's texts, parsed. */
  onnews = null;
  /** How it ended: the code and the words of the last frame. */
  code = 0;
  reason = '';
  wasOpen = false;

  constructor(url, { exact = false } = {}) {
    this.#isExact = exact;
    this.#socket = new WebSocket(url, protocols);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = (event) => {
      this.wasOpen = true;
      this.onopen?.(event);
    };
    this.#socket.onerror = (event) => this.onerror?.(event);
    this.#socket.onclose = (event) => {
      [this.code, this.reason] = [event.code, event.reason];
      this.onclose?.(event);
    };
    this.#socket.onmessage = (event) => {
      if (typeof event.data !== 'string') return this.onmessage?.(event);
      let news = null;
      try { news = JSON.parse(event.data); } catch { /* Newer than this page: nothing it could show. */ }
      if (news && typeof news === 'object') this.onnews?.(news);
    };
  }

  get protocol() { return this.#socket.protocol; }
  get readyState() { return this.#socket.readyState; }
  get binaryType() { return this.#socket.binaryType; }
  set binaryType(type) { this.#socket.binaryType = type; }

  send(bytes) { this.#socket.send(this.#isExact ? withoutQuality(bytes) : bytes); }

  /** Tells the gate something; nothing where there is no way any more. */
  say(wish) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(wish));
  }

  close(code, reason) { this.#socket.close(code, reason); }
}

// SetEncodings without qualities; all else as it is. Source: RFC 6143, 7.5.2.
function withoutQuality(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 4 || bytes[0] !== 2 || bytes.byteLength !== 4 + 4 * view.getUint16(2)) return bytes;
  const kept = [];
  for (let place = 4; place < bytes.byteLength; place += 4) {
    const encoding = view.getInt32(place);
    if (encoding < qualities[0] || encoding > qualities[1]) kept.push(encoding);
  }
  const made = new DataView(new ArrayBuffer(4 + 4 * kept.length));
  made.setUint8(0, 2);
  made.setUint16(2, kept.length);
  kept.forEach((encoding, index) => made.setInt32(4 + 4 * index, encoding));
  return new Uint8Array(made.buffer);
}

"""##

    private static let face_js: StaticString = ##"""
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

"""##

    private static let icon_svg: StaticString = ##"""
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
  <rect width="32" height="32" rx="7" fill="#1f7a4a"/>
  <path d="M5 16c3-5 7-7.5 11-7.5S24 11 27 16c-3 5-7 7.5-11 7.5S8 21 5 16z" fill="#fff"/>
  <circle cx="16" cy="16" r="4.5" fill="#12492e"/>
</svg>

"""##

    private static let index_html: StaticString = ##"""
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Lane</title>
  <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content">
  <meta name="color-scheme" content="light dark">
  <meta name="robots" content="noindex">
  <link rel="icon" type="image/svg+xml" href="page/icon.svg">
  <link rel="stylesheet" href="page/page.css">
  <script type="module" src="page/lane.js"></script>
</head>
<body data-state="start" data-mode="view">
  <header>
    <div class="row">
      <h1 id="lane">Lane</h1>
      <span id="mode" class="badge">Viewing</span>
      <span id="partly" class="hides" hidden></span>
      <span id="link" class="link"><i aria-hidden="true"></i><span id="link-text"></span></span>
    </div>
    <div class="row facts">
      <span id="raised"></span>
      <span id="since"></span>
      <span id="others"></span>
    </div>
  </header>

  <main>
    <div id="screen"></div>
    <div id="veil" hidden>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M3 3l18 18M10 5.1A9.6 9.6 0 0 1 12 5c5.5 0 9 5 9.8 7a15 15 0 0 1-3 4M6.5 6.6A15 15 0 0 0 2.2 12c.9 2 4.3 7 9.8 7 1.8 0 3.4-.5 4.7-1.3"/>
        <path d="M10 10a3 3 0 0 0 4 4"/>
      </svg>
      <p id="veil-title"></p>
      <p id="veil-why"></p>
    </div>

    <form id="door" class="card" autocomplete="off" novalidate hidden>
      <h2 id="door-title">Watch this lane</h2>
      <div id="fault" class="fault" role="alert" hidden>
        <strong id="fault-title"></strong>
        <p id="fault-way"></p>
      </div>
      <label for="attendant" id="attendant-label">Your name</label>
      <input id="attendant" name="attendant" type="text" maxlength="64" autocapitalize="off" autocorrect="off"
        spellcheck="false" aria-describedby="attendant-hint">
      <p id="attendant-hint" class="hint">As the token has it. It may stay empty.</p>
      <label for="secret" id="secret-label">Token</label>
      <input id="secret" name="secret" type="password" maxlength="512" autocapitalize="off" autocorrect="off"
        spellcheck="false" aria-describedby="secret-hint">
      <p id="secret-hint" class="hint"></p>
      <button id="enter" class="main">Watch</button>
      <button id="enter-free" type="button" hidden>Watch without signing in</button>
    </form>

    <section id="wait" class="card" hidden>
      <div class="spinner" aria-hidden="true"></div>
      <p id="wait-text">Connecting…</p>
      <button id="give-up" type="button">Cancel</button>
    </section>

    <section id="over" class="card" hidden>
      <h2 id="over-title" tabindex="-1"></h2>
      <p id="over-way"></p>
      <button id="again" type="button" class="main">Sign in again</button>
    </section>
  </main>

  <nav id="tools" aria-label="The lane's screen">
    <button id="control" type="button" aria-pressed="false" class="main">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 11V5.500a1.5 1.5 0 0 1 3 0V11m0-1V4.500a1.5 1.5 0 0 1 3 0V11m0-4a1.5 1.5 0 0 1 3 0v7a6 6 0 0 1-6 6h-1a6 6 0 0 1-5-2.700L4 13.500a1.5 1.5 0 0 1 2.4-1.800L9 14.500V11"/></svg>
      <span>Take control</span>
    </button>
    <button id="keyboard" type="button" aria-pressed="false">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 6h18v12H3zM6.5 10h.01M10 10h.01M13.5 10h.01M17 10h.01M7.5 14.500h9"/></svg>
      <span>Keyboard</span>
    </button>
    <button id="fit" type="button" aria-pressed="true">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/></svg>
      <span>Fit</span>
    </button>
    <button id="full" type="button" aria-pressed="false">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 5h18v14H3zM8 9h8v6H8z"/></svg>
      <span>Full screen</span>
    </button>
    <button id="leave" type="button">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M14 4h5v16h-5M15 12H4m4-4l-4 4 4 4"/></svg>
      <span>Leave</span>
    </button>
  </nav>

  <textarea id="typing" tabindex="-1" autocapitalize="off" autocomplete="off" autocorrect="off" spellcheck="false"
    aria-label="What is typed here goes to the lane"></textarea>
  <p id="live" class="unseen" role="status" aria-live="polite"></p>
  <noscript><p class="card">This page needs JavaScript.</p></noscript>
</body>
</html>

"""##

    private static let lane_js: StaticString = ##"""
// The page of a lane: who wants to watch signs in, sees the screen and what is known of it, and takes the lane's keys and
// pointer where that is allowed.
import { Channel } from './channel.js';
import { Typing } from './typing.js';
import { ending, refusal } from './words.js';
import { Face } from './face.js';

// Of a link: `/#token=…&attendant=anna`. What is behind the # never leaves the browser; it goes from the address bar
// before anything else is done.
const link = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, '', location.pathname + location.search);

const retries = [500, 1000, 2000, 4000, 8000];

const face = new Face();
let RFB = null;
let card = { lane: 'Lane', ways: [] };
/** The session that is on, or is coming to be. */
let session = null;

class Session {
  /** `credential`: { attendant, secret }; null for a lane that asks nothing. */
  constructor(credential) {
    this.credential = credential;
    this.news = null;
    this.refused = null;
    this.ended = null;
    this.resume = null;
    this.attempt = 0;
    this.isOn = false;
    this.timer = 0;
  }

  connect() {
    const url = new URL(`websockify?way=${this.credential ? 'plain' : 'none'}`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.hash = '';
    this.refused = null;
    this.ended = null;
    this.channel = new Channel(url.href, { exact: link.has('exact') });
    this.channel.onnews = (news) => this.hear(news);
    const credentials = { username: this.credential?.attendant ?? '', password: this.credential?.secret ?? '' };
    this.rfb = new RFB(face.screen, this.channel, { credentials, shared: true });
    this.rfb.viewOnly = true;
    this.rfb.background = 'transparent';
    this.rfb.qualityLevel = 8;
    face.fit(this.rfb);
    this.rfb.addEventListener('connect', () => this.begin());
    this.rfb.addEventListener('disconnect', () => this.finish());
    this.rfb.addEventListener('securityfailure', () => { this.refused ??= 'credential'; });
  }

  begin() {
    this.isOn = true;
    this.attempt = 0;
    face.show('on');
    face.link('live', 'Live');
    if (this.news) this.show();
  }

  hear(news) {
    if (news.refused) { this.refused = news.refused; return; }
    if (news.ended) { this.ended = news.ended; return; }
    if (news.resume) { this.resume = news.resume; return; }
    this.news = news;
    if (this.isOn) this.show();
  }

  show() {
    face.tell(this.news);
    const isControl = this.news.mode === 'control';
    if (this.rfb.viewOnly !== isControl) return;
    this.rfb.viewOnly = !isControl;
    face.fit(this.rfb);
    if (isControl) this.rfb.focus();
    else typing.close();
  }

  get mayControl() { return this.isOn && this.news?.mayControl === true; }
  get hasControl() { return this.isOn && this.news?.mode === 'control'; }

  control(isOn) {
    if (!this.mayControl) return;
    // Nothing more is sent from here, whenever the lane hears of it.
    if (!isOn) this.rfb.viewOnly = true;
    this.channel.say({ do: 'control', on: isOn });
  }

  press(keysym) { if (this.hasControl) this.rfb.sendKey(keysym, ''); }

  leave() {
    this.ended = 'left';
    clearTimeout(this.timer);
    if (this.isGone) return finishWith(this, 'left');
    this.rfb.disconnect();
  }

  /** The connection is over, one way or the other. */
  finish() {
    if (session !== this) return;
    const wasOn = this.isOn;
    this.isOn = false;
    this.isGone = true;
    if (this.refused && !(this.attempt && this.refused === 'no_room')) return this.refuse(this.refused);
    if (this.ended && !['stalled', 'attendant_ended'].includes(this.ended)) return finishWith(this, this.ended);
    // The lane said goodbye and not why: it is an older one, or is being stopped.
    if (!wasOn && !this.attempt) return this.refuse(this.channel.wasOpen ? 'no_room' : 'unreachable');
    this.again(this.ended ?? 'lost');
  }

  /** Tries again by itself where that can work: a token opens one session, so the lane gave a code for that at its start. */
  again(reason) {
    const isToken = this.credential && !card.ways.includes('password');
    if (this.resume) this.credential = { attendant: '', secret: this.resume };
    else if (isToken) return finishWith(this, reason);
    if (this.attempt >= retries.length) return finishWith(this, reason);
    face.link('wait', 'Reconnecting…');
    face.wait('The connection was lost. Reconnecting…');
    this.timer = setTimeout(() => {
      this.isGone = false;
      this.connect();
    }, retries[this.attempt]);
    this.attempt += 1;
  }

  refuse(reason) {
    if (this.attempt) return finishWith(this, 'lost');
    session = null;
    const [title, way] = refusal(reason);
    face.door(card, { title, way }, this.credential?.attendant);
  }
}

function finishWith(which, reason) {
  if (session !== which) return;
  session = null;
  typing.close();
  face.over(...ending(reason));
}

function start(credential) {
  session = new Session(credential);
  face.link('wait', 'Connecting…');
  face.wait('Connecting…');
  try { session.connect(); } catch { session.refuse('unreachable'); }
}

const typing = new Typing(face.typing, (keysym) => session?.press(keysym));

face.onenter = (attendant, secret) => start({ attendant, secret });
face.onfree = () => start(null);
face.onagain = () => face.door(card, null, '');
face.onleave = () => session?.leave();
face.oncontrol = () => session?.control(!session.hasControl);
face.onfit = () => { if (session?.rfb) face.fit(session.rfb); session?.rfb?.focus(); };
face.onkeyboard = () => { if (typing.isOpen) typing.close(); else typing.open(); };
face.onfocus = () => { if (session?.hasControl && !typing.isOpen) session.rfb.focus(); };

// The way out of the lane's keys by keys alone. Before noVNC sees it.
window.addEventListener('keydown', (event) => {
  if (!(event.ctrlKey && event.altKey && event.key === 'Home') || !session?.hasControl) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  session.control(false);
  face.focusTools();
}, true);

async function open() {
  const [answer, module] = await Promise.allSettled([fetch('page/lane.json'), import('../novnc/core/rfb.js')]);
  if (answer.status === 'fulfilled' && answer.value.ok) card = await answer.value.json();
  face.name(card.lane);
  if (module.status !== 'fulfilled' || answer.status !== 'fulfilled') {
    const [title, way] = refusal('page');
    return face.door(card, { title, way }, '');
  }
  RFB = module.value.default;
  const attendant = link.get('attendant') ?? '';
  const secret = link.get('token');
  link.delete('token');
  if (secret) return start({ attendant, secret });
  if (card.ways.length === 1 && card.ways[0] === 'none') return start(null);
  face.door(card, null, attendant);
}

open();

"""##

    private static let missing_html: StaticString = ##"""
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Lane: noVNC is missing</title>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <link rel="icon" type="image/svg+xml" href="page/icon.svg">
  <link rel="stylesheet" href="page/page.css">
</head>
<body data-state="door">
  <main>
    <section class="card">
      <h2>noVNC is not installed on this lane</h2>
      <p>This page shows the lane's screen with noVNC, which it did not find.</p>
      <p>On the lane, as root: <code>apt-get install novnc</code></p>
      <p>Or unpack it elsewhere, and write where it is into the lane's configuration:</p>
      <pre>view:
  page: {novnc: /opt/novnc}</pre>
      <p>Until then a VNC viewer shows the lane as well.</p>
    </section>
  </main>
</body>
</html>

"""##

    private static let page_css: StaticString = ##"""
:root {
  --ground: #eef1ef;
  --panel: #ffffff;
  --text: #16211b;
  --faint: #55635b;
  --edge: #c5cfc8;
  --main: #1a6b40;
  --main-text: #ffffff;
  --amber: #f5b13d;
  --amber-text: #2a1c00;
  --fault: #9c2b23;
  --fault-ground: #fbeae8;
  --focus: #0b57d0;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #111714;
    --panel: #1b2420;
    --text: #e8efea;
    --faint: #a3b2a9;
    --edge: #39463f;
    --main: #3fa36d;
    --main-text: #06140c;
    --fault: #ffb4ab;
    --fault-ground: #3a1a17;
    --focus: #a8c7fa;
    color-scheme: dark;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { height: 100%; margin: 0; }
body {
  display: grid;
  grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr);
  height: 100dvh;
  font: 15px/1.4 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  color: var(--text);
  background: var(--ground);
}

header {
  padding: 8px max(14px, env(safe-area-inset-right)) 8px max(14px, env(safe-area-inset-left));
  background: var(--panel);
  border-bottom: 3px solid var(--edge);
}
body[data-mode="control"] header { border-bottom-color: var(--amber); }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 12px; min-width: 0; }
h1 { margin: 0; font-size: 17px; line-height: 1.3; overflow-wrap: anywhere; }
.facts { font-size: 14px; color: var(--faint); }
.facts span:empty { display: none; }
.facts span + span:not(:empty)::before { content: "·"; margin-right: 12px; }
.facts span:empty + span::before { content: none !important; }
#raised { color: var(--text); font-weight: 600; overflow-wrap: anywhere; }
#raised.high { color: var(--fault); }
.badge { padding: 1px 10px; border: 1px solid var(--edge); border-radius: 99px; font-size: 13px; font-weight: 600; }
body[data-mode="control"] .badge {
  background: var(--amber); border-color: var(--amber); color: var(--amber-text);
}
body:not([data-state="on"]) .badge, body:not([data-state="on"]) .facts { display: none; }
.hides {
  padding: 1px 10px; border-radius: 99px; font-size: 13px; color: #e8efea; background: #0d1210;
  box-shadow: 0 0 0 1px var(--edge); overflow-wrap: anywhere;
}
.link:has(#link-text:empty) { display: none !important; }
.link { display: inline-flex; align-items: center; gap: 6px; margin-left: auto; font-size: 14px; color: var(--faint); }
.link i { width: 9px; height: 9px; border-radius: 50%; background: var(--faint); }
body[data-link="live"] .link i { background: #2fa866; }
body[data-link="wait"] .link i { background: var(--amber); }
body[data-link="lost"] .link i { background: #d2453a; }

main { position: relative; overflow: hidden; background: #0d1210; }
body:not([data-state="on"]) main { background: var(--ground); }
#screen { position: absolute; inset: 0; }
body:not([data-state="on"]) #screen { visibility: hidden; }
body[data-state="on"][data-mode="view"] #screen canvas { cursor: default !important; }

#veil {
  position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center; justify-content: center;
  gap: 4px; padding: 24px; text-align: center; color: #e8efea; background: #0d1210; pointer-events: none;
}
#veil svg { width: 54px; height: 54px; }
#veil p { margin: 0; max-width: 34em; overflow-wrap: anywhere; }
#veil-title { font-size: 20px; font-weight: 600; }
#veil-why { color: #b4c2ba; }

.card {
  position: relative; width: min(430px, calc(100% - 24px)); max-height: calc(100% - 16px); overflow: auto;
  margin: clamp(8px, 8vh, 90px) auto 0; padding: 22px; border: 1px solid var(--edge); border-radius: 14px;
  background: var(--panel);
}
.card h2 { margin: 0 0 12px; font-size: 20px; line-height: 1.3; }
.card p { margin: 0 0 14px; }
.card pre, .card code { font: 14px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
.card pre { padding: 10px 12px; border-radius: 8px; background: var(--ground); overflow: auto; }
.card label { display: block; margin: 12px 0 4px; font-weight: 600; }
.card input {
  width: 100%; min-height: 44px; padding: 8px 11px; border: 1px solid var(--faint); border-radius: 8px;
  font: inherit; font-size: 16px; color: inherit; background: var(--ground);
}
.card .hint { margin: 8px 0 0; font-size: 13px; color: var(--faint); }
.card button { width: 100%; margin-top: 16px; }
.card button + button { margin-top: 10px; }
.fault {
  margin: 0 0 4px; padding: 10px 13px; border-left: 4px solid var(--fault); border-radius: 6px;
  background: var(--fault-ground);
}
.fault strong { color: var(--fault); }
.fault p { margin: 2px 0 0; }
#over h2:focus { outline: none; }
#wait { text-align: center; }
.spinner {
  width: 34px; height: 34px; margin: 0 auto 12px; border: 4px solid var(--edge); border-top-color: var(--main);
  border-radius: 50%; animation: turn 1s linear infinite;
}
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .spinner { animation-duration: 6s; } }

button {
  display: inline-flex; align-items: center; justify-content: center; gap: 7px; min-height: 44px; padding: 8px 15px;
  border: 1px solid var(--edge); border-radius: 10px; font: inherit; font-weight: 600; color: var(--text);
  background: var(--panel); cursor: pointer; touch-action: manipulation;
}
button:hover { border-color: var(--faint); }
button.main { border-color: var(--main); color: var(--main-text); background: var(--main); }
button[aria-pressed="true"]:not(.main) { box-shadow: inset 0 0 0 2px var(--main); }
#control[aria-pressed="true"] { border-color: var(--amber); color: var(--amber-text); background: var(--amber); }
button:disabled { opacity: .55; cursor: default; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
button svg, #veil svg { fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
button svg { flex: none; width: 20px; height: 20px; }

#tools {
  display: flex; flex-wrap: wrap; justify-content: center; gap: 8px; border-top: 1px solid var(--edge);
  padding: 8px max(8px, env(safe-area-inset-right)) max(8px, env(safe-area-inset-bottom))
    max(8px, env(safe-area-inset-left));
  background: var(--panel);
}
body:not([data-state="on"]) #tools { display: none; }
#typing {
  position: fixed; bottom: 0; left: 0; width: 2px; height: 2px; padding: 0; border: 0; opacity: .01; resize: none;
  font-size: 16px; pointer-events: none;
}
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@media (max-width: 600px) {
  header { padding-block: 6px; }
  h1 { font-size: 16px; }
  .facts { font-size: 13px; gap: 0 8px; }
  .facts { flex-direction: column; align-items: flex-start; }
  .facts span + span:not(:empty)::before { content: none; }
  body[data-link="live"] #link-text {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
  #tools { flex-wrap: nowrap; gap: 4px; padding: 4px; }
  #tools button {
    flex: 1 1 0; min-width: 0; flex-direction: column; gap: 1px; padding: 5px 2px; font-size: 11px; line-height: 1.15;
  }
  .card { padding: 16px; }
}
@media (max-height: 460px) {
  #tools button span { font-size: 12px; }
  header { padding-block: 3px; }
  .card { margin-top: 6px; }
}

"""##

    private static let typing_js: StaticString = ##"""
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

"""##

    private static let words_js: StaticString = ##"""
// What went wrong, in plain words, and the way out: by what the gate says.

const ask = 'Ask for a new link.';

/** Why somebody is not let in. Source: docs/reference/page.md. */
const refusals = {
  credential: ['This was not accepted',
    'The token or password is wrong. Look whether it was copied whole, or ask for a new link.'],
  expired: ['The token’s time is over', `A token opens the lane within a minute after it was made. ${ask}`],
  replayed: ['The token was used already',
    `Each token opens one session. ${ask} If it was not you who used it, tell whoever gave it to you.`],
  wrong_lane: ['The token is for another lane',
    'Open the link that came with it, or ask for a token for this lane.'],
  wrong_attendant: ['The token was made for another name',
    'Write the name that it was made for, or leave the name empty.'],
  too_early: ['The token is not valid yet', `The clocks of the lane and of whoever made it differ. ${ask}`],
  too_long: ['The token is valid for longer than this lane allows', `It takes tokens of one minute. ${ask}`],
  before_boot: ['The token was made before the lane was started', ask],
  not_kept: ['The lane cannot let anybody in',
    'It could not note that the token is used. Tell whoever looks after the lanes.'],
  full: ['As many watch as may watch at a time', 'Wait until somebody leaves, and try again.'],
  full_attendant: ['You watch as often as anybody may', 'Close one of your other windows, and try again.'],
  no_room: ['The lane cannot show its screen now', 'Try again in a moment.'],
  unreachable: ['The lane does not answer',
    'Look whether it is switched on and the network reaches it, and try again.'],
  page: ['The page could not be loaded whole', 'Load it again. If that does not help, noVNC on the lane is broken.'],
};

/** Why a session ended. */
const endings = {
  left: ['You have left the lane', 'Nobody watches from here any more.'],
  closed: ['You have left the lane', 'Nobody watches from here any more.'],
  ended: ['The session was ended by the lane',
    'What it was opened for is done, or somebody ended it. Sign in again if you still need it.'],
  idle: ['The session was ended, as nothing came from this page for long', 'Sign in again to go on.'],
  maximum: ['The session’s longest time is over', 'Sign in again to go on.'],
  stalled: ['The connection was too slow', 'The picture did not get through. Sign in again where the network is better.'],
  attendant_ended: ['The lane stopped showing its screen', 'Sign in again. If that does not help, look at the lane.'],
  lost: ['The connection to the lane was lost', 'Look whether the network is there, then sign in again.'],
};

export function refusal(reason) { return refusals[reason] ?? refusals.credential; }

export function ending(reason) { return endings[reason] ?? endings.ended; }

/** `14:03`, or with the date where it is not today. Empty for what is no time. */
export function clock(text, now = new Date()) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return '';
  const hours = time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  return time.toDateString() === now.toDateString() ? hours : `${time.toLocaleDateString()} ${hours}`;
}

function named(one) { return one.name || 'somebody'; }

/** `Also here: bert (in control), carla and 3 more`. */
export function othersText(news) {
  const all = news.others ?? [];
  if (!all.length) return '';
  const names = all.slice(0, 3).map((one) => named(one) + (one.mode === 'control' ? ' (in control)' : ''));
  const more = (news.otherCount ?? all.length) - names.length;
  return `Also here: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `Payment declined, since 14:03 (and 2 more)`. */
export function raisedText(news) {
  const first = news.open?.[0];
  if (!first) return news.agent === false ? 'The lane’s agent does not answer' : '';
  const since = clock(first.since);
  const more = (news.openCount ?? 1) - 1;
  return `${first.title}${since ? `, since ${since}` : ''}${more > 0 ? ` (and ${more} more)` : ''}`;
}

/** What is hidden: a title and why; null where nothing is. */
export function hiddenText(news) {
  const why = (news.reasons ?? []).join('; ');
  if (news.screen === false) {
    return { all: true, title: 'The lane’s screen cannot be read', why: 'It is tried again every few seconds.' };
  }
  if (news.agent === false && news.hidden === 'all') {
    return { all: true, title: 'Hidden: the lane’s agent does not answer', why: 'The picture comes back with it.' };
  }
  if (news.hidden === 'all') return { all: true, title: 'The screen is hidden', why: why && `Because: ${why}` };
  if (news.hidden === 'part') return { all: false, title: `Parts are hidden: ${why || 'always'}`, why: '' };
  return null;
}

"""##
}
