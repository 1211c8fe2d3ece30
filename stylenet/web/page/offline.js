// A service worker: the page stays usable without a network, and its files get the headers below from any host.
// Whatever else the host has is none of its business: other pages, which have headers of their own, or a service's answers.

const HEADERS = {{headers}};
const PAGE = new URL('./', self.location.href).href; // other pages of stylenet on this host have their own caches
const CACHE = `stylenet ${PAGE} {{version}}`; // of this page's files: another version's cache is removed
const MARK = '<meta name="generator" content="stylenet">';
const SIZES = { './': 0, ...JSON.parse('{{files}}') }; // in bytes, of the page's own files
const FILES = new Map(Object.entries(SIZES).map(([name, size]) => [new URL(name, self.location.href).href, size]));
const LARGE = 1_000_000; // bytes: a larger network is kept once it was used
const RUNTIME = new URL('runtime/', self.location.href).href;
const BUILD = 'Suspending' in WebAssembly; // as in worker.js: of the two builds, a browser needs one
let gone = false; // another site has this address now

self.addEventListener('install', (event) => event.waitUntil(keepFiles().then(() => self.skipWaiting())));
self.addEventListener('activate', (event) => event.waitUntil(removeOthers().then(() => self.clients.claim())));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const file = withoutSearch(request.url);
  if (!gone && request.method === 'GET' && FILES.has(file)) event.respondWith(answer(file));
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
  await Promise.all(needed.map((file) => installed(cache, file).catch(() => installed(cache, file))));
}

async function installed(cache, file) {
  if (hasFailed(await renewed(cache, file))) throw new Error(`the host cannot send ${file} now`);
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

/** Of this page's other versions. An older version's name is without the page's address, which is then inside it. */
async function otherCaches() {
  const found = [];
  for (const name of await caches.keys()) {
    const isOwn = name.startsWith(`stylenet ${PAGE} `) && name !== CACHE;
    const isOlder = /^stylenet(-\w+)?$/.test(name) && (await (await caches.open(name)).match(PAGE));
    if (isOwn || isOlder) found.push(name);
  }
  return found;
}

async function removeOthers() {
  for (const name of await otherCaches()) await caches.delete(name);
}

async function renewed(cache, file) {
  const response = await fetch(file, { cache: 'no-cache' }); // asks the server even for what the browser has kept
  if (response.ok) await cache.put(file, response.clone()).catch(() => {}); // with a full storage the page still works
  return response;
}

const hasFailed = ({ status }) => status >= 500;

/** From the network, which may have a newer file; without one, or when the host fails, from the cache. */
async function answer(file) {
  const cache = await caches.open(CACHE);
  const response = await renewed(cache, file).catch(() => null);
  if (response && !hasFailed(response)) return (await isForeign(file, response)) ? left(response) : withHeaders(response);
  const kept = await cache.match(file);
  return kept ? withHeaders(kept) : (response ?? Response.error());
}

/** Whether it is of another site, which has come to this address: a new one on the same port, or a list of a folder. */
async function isForeign(file, response) {
  const isStart = file === PAGE || file === `${PAGE}index.html`;
  return isStart && response.ok && !(await response.clone().text()).includes(MARK);
}

/** Leaves the address to the other site, and gives that one's answer as it is. */
async function left(response) {
  gone = true;
  await self.registration.unregister();
  for (const name of [CACHE, ...(await otherCaches())]) await caches.delete(name);
  return response.redirected ? Response.redirect(response.url) : response;
}

function withHeaders(response) {
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status, statusText, headers });
}
