// The camera: frames as long as it is on.

export class Camera {
  constructor() {
    this.video = document.createElement('video');
    Object.assign(this.video, { muted: true, playsInline: true });
    this.facing = 'environment';
  }

  get on() {
    return Boolean(this.video.srcObject);
  }

  async start() {
    if (!navigator.mediaDevices) throw new Error('the camera needs https:// or localhost');
    try {
      const video = { facingMode: { ideal: this.facing }, width: { ideal: 640 } };
      this.video.srcObject = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      throw new Error(error.name === 'NotAllowedError' ? 'the camera was not allowed' : 'there is no camera to use');
    }
    await this.video.play();
  }

  stop() {
    for (const track of this.video.srcObject?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
  }

  async flip() {
    this.stop();
    this.facing = this.facing === 'user' ? 'environment' : 'user';
    await this.start();
  }

  static async several() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === 'videoinput').length > 1;
  }
}
