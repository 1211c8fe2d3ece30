// The camera in the chosen style: from the click that starts it to another click, a photo that is opened, or an error.

import { Camera } from './camera.js';
import { pixelsOf } from './pixels.js';

const MAXIMUM_SIDE = 512; // pixels: larger frames are too slow

export class Live {
  /** `page` has the buttons `camera` and `flip`, and the functions that `app.js` gives it. */
  constructor(page) {
    this.page = page;
    this.camera = new Camera();
    this.session = null; // an object as long as the camera is wanted
    this.frame = null; // the newest one's promise
  }

  /** Runs until its session ends. */
  async start() {
    const own = (this.session = {});
    const { page } = this;
    page.camera.setAttribute('aria-pressed', 'true');
    page.say('Starting the camera …');
    try {
      await this.camera.start();
      const several = await Camera.several();
      if (this.session !== own) return;
      page.flip.hidden = !several;
      page.started();
      await this.#run(own);
    } finally {
      if (this.session === own) await this.end();
    }
  }

  async end() {
    this.stop();
    await this.frame?.catch(() => {}); // it is shown when it is done
    if (!this.session) await this.page.ended(); // nobody started it again meanwhile
  }

  /** Also where it is off. */
  stop() {
    this.session = null;
    this.camera.stop();
    this.page.camera.setAttribute('aria-pressed', 'false');
    this.page.flip.hidden = true;
  }

  async #run(own) {
    const { page, camera } = this;
    const { video } = camera;
    let style = null;
    let last = performance.now();
    while (this.session === own) {
      if (page.chosen() !== style) {
        style = await page.loadChosen();
        if (this.session !== own) return;
        page.say(`Camera: ${style.title}`);
      }
      await camera.ready(); // also the other one, after a click on it
      if (this.session !== own) return;
      const side = Math.min(page.side() || MAXIMUM_SIDE, MAXIMUM_SIDE);
      this.frame = page.compute(
        style,
        pixelsOf(video, video.videoWidth, video.videoHeight, side, style.minimum),
        'camera',
      );
      await this.frame;
      const now = performance.now();
      page.time(`${(1000 / (now - last)).toFixed(1)} images a second`);
      last = now;
    }
  }
}
