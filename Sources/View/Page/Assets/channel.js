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
