// The camera: frames as long as it is on.

export class Camera {
  constructor() {
    this.video = document.createElement('video');
    Object.assign(this.video, { muted: true, playsInline: true });
    this.facing = 'environment';
    this.turn = 0; // counts starts and stops: what belongs to an earlier one has no effect any more
    this.started = null; // a promise, of the last start
    this.device = undefined; // the id of the last one that was on
  }

  /** Also while it is on already, which ends that stream: many phones open one camera at a time. */
  start() {
    this.stop();
    this.started = this.#open(this.turn, () => this.#stream());
    return this.started;
  }

  stop() {
    this.turn++;
    end(this.video.srcObject);
    this.video.srcObject = null;
  }

  flip() {
    this.facing = this.facing === 'user' ? 'environment' : 'user';
    this.stop();
    this.started = this.#open(this.turn, () => this.#otherStream(this.device));
    return this.started;
  }

  /** Waits for a start that is under way, and for one that took its place meanwhile. */
  async ready() {
    for (let last; last !== this.started; ) await (last = this.started);
  }

  async #open(turn, streamed) {
    try {
      const stream = await streamed();
      if (turn !== this.turn) return end(stream);
      this.device = deviceOf(stream);
      stream.getVideoTracks()[0].addEventListener('ended', () => turn === this.turn && this.#lost());
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (turn !== this.turn) return; // nobody waits for it
      this.stop();
      throw error;
    }
  }

  /** It was unplugged, or is not allowed any more; our own stop is no such event. */
  #lost() {
    this.stop();
    this.started = Promise.reject(new Error('the camera has stopped'));
    this.started.catch(() => {}); // whoever waits for the next frame hears of it
  }

  /** Where cameras do not say which way they face, the browser gives the same one again: then the next in its list. */
  async #otherStream(device) {
    const stream = await this.#stream();
    if (!device || deviceOf(stream) !== device) return stream;
    const ids = (await cameras()).map(({ deviceId }) => deviceId);
    const next = ids[(ids.indexOf(device) + 1) % ids.length];
    if (!next || next === device) return stream;
    end(stream); // many phones open one camera at a time
    return this.#stream({ deviceId: { exact: next } });
  }

  async #stream(which = { facingMode: { ideal: this.facing } }) {
    if (!navigator.mediaDevices) throw new Error('the camera needs https:// or localhost');
    try {
      const video = { ...which, width: { ideal: 640 } };
      return await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      throw new Error(error.name === 'NotAllowedError' ? 'the camera was not allowed' : 'there is no camera to use');
    }
  }

  static async several() {
    return (await cameras()).length > 1;
  }
}

async function cameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind }) => kind === 'videoinput');
}

function deviceOf(stream) {
  return stream.getVideoTracks()[0].getSettings().deviceId;
}

function end(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
