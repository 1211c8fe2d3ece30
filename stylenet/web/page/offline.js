// A service worker: the page stays usable without a network, and every file gets the headers below from any host.

const HEADERS = {
  'Content-Security-Policy': "{{policy}}",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const CACHE = 'stylenet-{{version}}'; // of this page's files: another version's cache is removed

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(removeOthers().then(() => self.clients.claim())));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method === 'GET' && new URL(request.url).origin === self.location.origin) {
    event.respondWith(answer(request));
  }
});

/** Removes other versions' caches, after the files in them were fetched as they are now, so that none is missing offline. */
async function removeOthers() {
  const cache = await caches.open(CACHE);
  const old = (await caches.keys()).filter((name) => /^stylenet(-|$)/.test(name) && name !== CACHE);
  for (const name of old) {
    const requests = await (await caches.open(name)).keys();
    await Promise.all(requests.map(({ url }) => renewed(cache, url).catch(() => {}))); // a file that is gone is left out
    await caches.delete(name);
  }
}

async function renewed(cache, request) {
  const response = await fetch(request, { cache: 'no-cache' }); // asks the server even for what the browser has kept
  if (response.ok) await cache.put(request, response.clone());
  return response;
}

/** From the network, which may have a newer file; without one, from the cache. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    return withHeaders(await renewed(cache, request));
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
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
