// Runs networks by ONNX Runtime Web, apart from the page, which stays responsive.

const CHOICE = new URL(self.location.href).searchParams.get('engine') ?? 'auto'; // auto, wasm or webgpu
// The build with WebGPU needs promise integration, which not every browser has; the other one is WebAssembly alone.
const BUILD = 'Suspending' in WebAssembly ? '.jspi' : '';
const RUNTIME = new URL(`runtime/`, self.location.href);
const MAXIMUM_THREADS = 4;

const networks = new Map();
let runtime; // a promise of { ort, provider, name }

async function started() {
  const name = BUILD ? 'ort.jspi.min.js' : 'ort.wasm.min.js';
  const [ort, wasmBinary, webgpu] = await Promise.all([
    imported(new URL(name, RUNTIME)),
    unzipped(new URL(`ort-wasm-simd-threaded${BUILD}.wasm.gz`, RUNTIME)),
    wantsWebGPU(),
  ]);
  const threads = self.crossOriginIsolated ? Math.min(MAXIMUM_THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = 'error';
  Object.assign(ort.env.wasm, {
    numThreads: threads,
    wasmBinary,
    wasmPaths: { mjs: new URL(`ort-wasm-simd-threaded${BUILD}.js`, RUNTIME).href },
  });
  const words = `WebAssembly, ${threads} thread${threads > 1 ? 's' : ''}`;
  return { ort, provider: webgpu ? 'webgpu' : 'wasm', name: webgpu ? 'WebGPU' : words };
}

async function imported(url) {
  try {
    return await import(url);
  } catch {
    throw new Error(`the runtime is missing on the server: ${url.pathname}; "stylenet web FOLDER" writes it beside the page`);
  }
}

/** Whether there is a graphics card: a software adapter is far slower than WebAssembly. */
async function wantsWebGPU() {
  if (!BUILD || CHOICE === 'wasm' || !navigator.gpu) return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter !== null && (CHOICE === 'webgpu' || !adapter.info?.isFallbackAdapter);
}

/** A gzipped file's content, also from a server that unpacks it on the way. */
async function unzipped(url) {
  const packed = new Uint8Array(await fetched(url));
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) return packed.buffer;
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${new URL(url).pathname} is missing on the server (${response.status})`);
  return response.arrayBuffer();
}

/** Takes the place of another version of the network; a file that cannot be used leaves that one. */
async function load({ key, source, version }) {
  const { ort, provider } = await (runtime ??= started());
  const old = networks.get(key);
  if (old?.version === version) return {};
  const bytes = typeof source === 'string' ? await fetched(new URL(source, self.location.href)) : source;
  let session;
  try {
    session = await ort.InferenceSession.create(new Uint8Array(bytes), { executionProviders: [provider] });
  } catch (error) {
    throw provider === 'webgpu' ? error : new Error('this is not an ONNX file that can be read');
  }
  try {
    networks.set(key, { session, channels: channelsOf(session), version });
  } catch (error) {
    await session.release();
    throw error;
  }
  await old?.session.release();
  return {};
}

/** 3 or 4, of a network that `stylenet export` made. */
function channelsOf(session) {
  const [input] = session.inputMetadata;
  const channels = input?.shape?.[3];
  if (session.inputNames.length > 1) throw new Error('this file holds several styles: export one, as in gallery#wave');
  const fits = session.inputNames[0] === 'picture' && input.type === 'uint8' && (channels === 3 || channels === 4);
  if (!fits) throw new Error('this network was not exported by stylenet');
  return channels;
}

async function stylize({ key, width, height, pixels }) {
  const { ort } = await runtime;
  const { session, channels } = networks.get(key);
  const start = performance.now();
  const picture = new ort.Tensor('uint8', channels === 4 ? pixels : withoutAlpha(pixels), [1, height, width, channels]);
  const { stylized } = await session.run({ picture });
  const result = await stylized.getData();
  stylized.dispose();
  const whole = channels === 4 ? new Uint8Array(result) : withAlpha(result, pixels);
  return { pixels: whole, milliseconds: performance.now() - start };
}

function withoutAlpha(pixels) {
  const result = new Uint8Array((pixels.length / 4) * 3);
  for (let i = 0, j = 0; i < pixels.length; i += 4) {
    for (let c = 0; c < 3; c++) result[j++] = pixels[i + c];
  }
  return result;
}

function withAlpha(colors, pixels) {
  const result = new Uint8Array(pixels); // a copy, for its alpha
  for (let i = 0, j = 0; i < result.length; i += 4) {
    for (let c = 0; c < 3; c++) result[i + c] = colors[j++];
  }
  return result;
}

const TASKS = { start: async () => (await (runtime ??= started())).name, load, stylize };

let last = Promise.resolve(); // one task after another: no session is released while it runs
self.onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};

async function answer(data) {
  try {
    const result = await TASKS[data.task](data);
    self.postMessage({ id: data.id, result }, result?.pixels ? [result.pixels.buffer] : []);
  } catch (error) {
    self.postMessage({ id: data.id, error: reason(error) });
  }
}

/** One line: a number is what the runtime throws when memory is short. */
function reason(error) {
  if (typeof error === 'number' || /memory|alloc/i.test(error?.message)) return 'not enough memory for an image of this size';
  if (error instanceof WebAssembly.RuntimeError) return 'the runtime stopped';
  const line = String(error?.message ?? error).split('\n')[0];
  return line.split(/[.:] (?=[A-Z])/).at(-1); // of the runtime's own, which begin with files and status codes, the end
}
