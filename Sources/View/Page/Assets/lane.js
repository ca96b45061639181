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
