// ONNX Runtime Web in a worker: calls that are promises.

export class Runtime {
  constructor(choice) {
    this.calls = new Map();
    this.failure = null; // why it answers no more
    this.worker = new Worker(new URL(`worker.js?engine=${choice}`, import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }) => this.#settle(data);
    this.worker.onerror = (event) => this.#fail(event.message || 'the runtime could not be loaded');
  }

  /** Gives its name, as in "WebAssembly, 4 threads". */
  async start() {
    this.name = await this.#call({ task: 'start' });
    return this.name;
  }

  /** `version` tells another network under the same key from the one that is loaded. */
  load(key, source, version) {
    return this.#call({ task: 'load', key, source, version });
  }

  stylize(key, width, height, colors) {
    const pixels = new Uint8Array(colors); // a copy, which is handed over
    return this.#call({ task: 'stylize', key, width, height, pixels }, [pixels.buffer]);
  }

  end() {
    this.worker.terminate();
    this.#fail('the runtime was ended');
  }

  #call(message, transfer = []) {
    if (this.failure) return Promise.reject(new Error(this.failure));
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
    this.failure = reason;
    for (const { reject } of this.calls.values()) reject(new Error(reason));
    this.calls.clear();
  }
}
