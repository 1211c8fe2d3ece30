// The page's side of the worker: calls that are promises.

export class Engine {
  constructor(choice) {
    this.calls = new Map();
    this.worker = new Worker(new URL(`worker.js?engine=${choice}`, import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }) => this.#settle(data);
    this.worker.onerror = (event) => this.#fail(event.message || 'the runtime could not be loaded');
  }

  /** Starts the runtime; gives its name, as in "WebAssembly, 4 threads". */
  start() {
    return this.#call({ task: 'start' });
  }

  /** Loads a network from a URL or from bytes, and keeps it under `key`. */
  load(key, source) {
    return this.#call({ task: 'load', key, source });
  }

  /** Stylizes an ImageData; gives one of the same size, and the milliseconds. */
  async stylize(key, image) {
    const { width, height } = image;
    const pixels = new Uint8Array(image.data); // a copy, which is handed over
    const answer = await this.#call({ task: 'stylize', key, width, height, pixels }, [pixels.buffer]);
    const data = new Uint8ClampedArray(answer.pixels.buffer, answer.pixels.byteOffset, answer.pixels.length);
    return { image: new ImageData(data, width, height), milliseconds: answer.milliseconds };
  }

  #call(message, transfer = []) {
    const id = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject });
      this.worker.postMessage({ ...message, id }, transfer);
    });
  }

  #settle({ id, result, error }) {
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (error === undefined) call.resolve(result);
    else call.reject(new Error(error));
  }

  #fail(reason) {
    for (const { reject } of this.calls.values()) reject(new Error(reason));
    this.calls.clear();
  }
}
