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

/** Removes other versions' caches, after each file in them was fetched as it is now, so that none is missing offline. */
async function removeOthers() {
  const cache = await caches.open(CACHE);
  const names = (await caches.keys()).filter((name) => /^stylenet(-|$)/.test(name) && name !== CACHE);
  for (const name of names) {
    const old = await caches.open(name);
    await Promise.all((await old.keys()).map((request) => renewedOrKept(cache, old, request)));
    await caches.delete(name);
  }
}

/** A file that is gone from the server is left out; one that cannot be fetched now stays as it was. */
async function renewedOrKept(cache, old, request) {
  await renewed(cache, request.url)
    .catch(() => renewed(cache, request.url)) // a change of network cuts off what is on its way
    .catch(async () => cache.put(request.url, await old.match(request)));
}

async function renewed(cache, request) {
  const response = await fetch(request, { cache: 'no-cache' }); // asks the server even for what the browser has kept
  if (response.ok) await cache.put(request, response.clone()).catch(() => {}); // with a full storage the page still works
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
