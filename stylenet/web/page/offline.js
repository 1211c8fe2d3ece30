// A service worker: the page stays usable without a network, and its files get the headers below from any host.
// Whatever else the host has is none of its business: other pages, which have headers of their own, or a service's answers.

const HEADERS = {
  'Content-Security-Policy': "{{policy}}",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const CACHE = 'stylenet-{{version}}'; // of this page's files: another version's cache is removed
const SIZES = { './': 0, ...JSON.parse('{{files}}') }; // in bytes, of the page's own files
const FILES = new Map(Object.entries(SIZES).map(([name, size]) => [new URL(name, self.location.href).href, size]));
const LARGE = 1_000_000; // bytes: a larger network is kept once it was used
const RUNTIME = new URL('runtime/', self.location.href).href;
const BUILD = 'Suspending' in WebAssembly; // as in worker.js: of the two builds, a browser needs one

self.addEventListener('install', (event) => event.waitUntil(keepFiles().then(() => self.skipWaiting())));
self.addEventListener('activate', (event) => event.waitUntil(removeOthers().then(() => self.clients.claim())));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const file = withoutSearch(request.url);
  if (request.method === 'GET' && FILES.has(file)) event.respondWith(answer(file));
});

function withoutSearch(address) {
  const url = new URL(address);
  return url.origin + url.pathname;
}

/** Keeps what the page needs offline, as it is now; where a file cannot be fetched, the version before stays. */
async function keepFiles() {
  const cache = await caches.open(CACHE);
  const used = await usedBefore();
  const needed = [...FILES.keys()].filter((file) => used.has(file) || isKeptUnused(file));
  // Once more, as a change of network cuts off what is on its way. A file that is not on the server is left out.
  await Promise.all(needed.map((file) => renewed(cache, file).catch(() => renewed(cache, file))));
}

function isKeptUnused(file) {
  return file.startsWith(RUNTIME) ? file.includes('.jspi.') === BUILD : FILES.get(file) <= LARGE;
}

/** What other versions' caches hold. */
async function usedBefore() {
  const opened = await Promise.all((await otherCaches()).map((name) => caches.open(name)));
  const requests = await Promise.all(opened.map((cache) => cache.keys()));
  return new Set(requests.flat().map(({ url }) => withoutSearch(url)));
}

async function otherCaches() {
  return (await caches.keys()).filter((name) => /^stylenet(-|$)/.test(name) && name !== CACHE);
}

async function removeOthers() {
  for (const name of await otherCaches()) await caches.delete(name);
}

async function renewed(cache, file) {
  const response = await fetch(file, { cache: 'no-cache' }); // asks the server even for what the browser has kept
  if (response.ok) await cache.put(file, response.clone()).catch(() => {}); // with a full storage the page still works
  return response;
}

/** From the network, which may have a newer file; without one, from the cache. */
async function answer(file) {
  const cache = await caches.open(CACHE);
  try {
    return withHeaders(await renewed(cache, file));
  } catch (error) {
    const kept = await cache.match(file);
    if (!kept) throw error;
    return withHeaders(kept);
  }
}

function withHeaders(response) {
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status, statusText, headers });
}
