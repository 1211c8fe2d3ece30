// The camera: frames as long as it is on.

export class Camera {
  constructor() {
    this.video = document.createElement('video');
    Object.assign(this.video, { muted: true, playsInline: true });
    this.facing = 'environment';
    this.turn = 0; // counts starts and stops: what belongs to an earlier one has no effect any more
    this.started = null; // a promise, of the last start
  }

  /** Also while it is on already, which ends that stream: many phones open one camera at a time. */
  start() {
    this.stop();
    this.started = this.#open(this.turn);
    return this.started;
  }

  stop() {
    this.turn++;
    end(this.video.srcObject);
    this.video.srcObject = null;
  }

  flip() {
    this.facing = this.facing === 'user' ? 'environment' : 'user';
    return this.start();
  }

  /** Waits for a start that is under way, and for one that took its place meanwhile. */
  async ready() {
    for (let last; last !== this.started; ) await (last = this.started);
  }

  async #open(turn) {
    try {
      const stream = await this.#stream();
      if (turn !== this.turn) return end(stream);
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (turn !== this.turn) return; // nobody waits for it
      this.stop();
      throw error;
    }
  }

  async #stream() {
    if (!navigator.mediaDevices) throw new Error('the camera needs https:// or localhost');
    try {
      const video = { facingMode: { ideal: this.facing }, width: { ideal: 640 } };
      return await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      throw new Error(error.name === 'NotAllowedError' ? 'the camera was not allowed' : 'there is no camera to use');
    }
  }

  static async several() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === 'videoinput').length > 1;
  }
}

function end(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
