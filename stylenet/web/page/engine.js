// What computes the images: WebGPU where it works, else WebAssembly.

import { Runtime } from './runtime.js';

const GPU = 'WebGPU';

export class Engine {
  /** `choice` is auto, wasm or webgpu; `report` is told what computes from now on. */
  constructor(choice, report = () => {}) {
    this.runtime = new Runtime(choice);
    this.report = report;
    this.sources = new Map(); // { source, version } of the networks, for another runtime
    this.versions = 0;
  }

  /** Starts the runtime; gives its name, as in "WebAssembly, 4 threads". */
  async start() {
    const name = await this.runtime.start();
    this.report(`Computed by ${name}.`);
    return name;
  }

  /** Loads a network from a URL or from bytes, and keeps it under `key`, in place of one from another source. */
  async load(key, source) {
    const known = this.sources.get(key);
    const version = known?.source === source ? known.version : ++this.versions;
    await this.#attempt((runtime) => runtime.load(key, source, version));
    this.sources.set(key, { source, version });
  }

  /** Stylizes an ImageData; gives one of the same size, and the milliseconds. */
  async stylize(key, image) {
    const { width, height } = image;
    const answer = await this.#attempt((runtime) => runtime.stylize(key, width, height, image.data));
    const data = new Uint8ClampedArray(answer.pixels.buffer, answer.pixels.byteOffset, answer.pixels.length);
    return { image: new ImageData(data, width, height), milliseconds: answer.milliseconds };
  }

  /** Does a task. What fails on WebGPU alone is done by WebAssembly, and all that follows too. */
  async #attempt(task) {
    const { runtime } = this;
    try {
      return await task(runtime);
    } catch (error) {
      if (runtime !== this.runtime) return this.#attempt(task); // it was ended during the task
      if (runtime.name !== GPU) throw error;
      return this.#byWebAssembly(task, runtime, error);
    }
  }

  /** In a new worker: no session starts in one where WebGPU has failed. What fails there too is not WebGPU's fault. */
  async #byWebAssembly(task, failed, error) {
    const other = new Runtime('wasm');
    let result;
    try {
      await other.start();
      for (const [key, { source, version }] of this.sources) await other.load(key, source, version);
      result = await task(other);
    } catch (reason) {
      other.end();
      throw reason;
    }
    this.#replace(failed, other, error);
    return result;
  }

  #replace(failed, other, error) {
    if (this.runtime !== failed) return other.end(); // another task has replaced it meanwhile
    this.runtime = other;
    failed.end();
    this.report(`Computed by ${other.name}, as WebGPU failed: ${error.message}`);
  }
}
