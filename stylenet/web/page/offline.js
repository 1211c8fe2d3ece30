// A service worker: the page stays usable without a network, and its files get the headers below from any host.
// Whatever else the host has is none of its business: other pages, which have headers of their own, or a service's answers.

const HEADERS = {
  'Content-Security-Policy': "{{policy}}",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const CACHE = 'stylenet-{{version}}'; // of this page's files: another version's cache is removed
const FILES = new Set(['./', ...JSON.parse('{{files}}')].map((name) => new URL(name, self.location.href).href));

self.addEventListener('install', () => self.skipWaiting());
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

/** Removes other versions' caches, after each file in them was fetched as it is now, so that none is missing offline. */
async function removeOthers() {
  const cache = await caches.open(CACHE);
  const names = (await caches.keys()).filter((name) => /^stylenet(-|$)/.test(name) && name !== CACHE);
  for (const name of names) {
    const old = await caches.open(name);
    const requests = (await old.keys()).filter(({ url }) => FILES.has(withoutSearch(url)));
    await Promise.all(requests.map((request) => renewedOrKept(cache, old, request)));
    await caches.delete(name);
  }
}

/** A file that is gone from the server is left out; one that cannot be fetched now stays as it was. */
async function renewedOrKept(cache, old, request) {
  const file = withoutSearch(request.url);
  await renewed(cache, file)
    .catch(() => renewed(cache, file)) // a change of network cuts off what is on its way
    .catch(async () => cache.put(file, await old.match(request)));
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
