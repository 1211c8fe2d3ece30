// The page: a photo or the camera, a style, strength, before and after, save.

import { Engine } from './engine.js';
import { Live } from './live.js';
import { mixed, pixelsOf } from './pixels.js';
import { Styles } from './styles.js';

const ADDED = ' (added)'; // behind the key of a network from a file: the site may have one of that name

const element = (id) => document.getElementById(id);
const engine = new Engine(new URLSearchParams(location.search).get('engine') ?? 'auto', (line) => {
  element('engine').textContent = line;
});
const styles = new Styles(element('styles'), () => stylizePhoto());

let opened = null; // { bitmap, name }: the photo as it was opened
let shown = null; // { photo, stylized, name, key }: ImageData of one size, in the style at full strength, and of what
let busy = false;
let again = false; // something changed while an image was computed
let waiting = false; // something changed between the camera's end and its last image
let turn = 0; // counts photos and camera starts: of two that are under way, the later one is shown
let used = false; // the visitor has opened something

function say(text, isError = false) {
  const status = element('status');
  status.textContent = text;
  status.classList.toggle('error', isError);
}

/** Runs a task; what goes wrong becomes one line on the page. */
async function guarded(task) {
  try {
    await task();
  } catch (error) {
    say(error.message, true);
  }
}

const strength = () => element('strength').value / 100;
const side = () => Number(element('side').value);

function time(text) {
  element('timing').textContent = text;
}

function draw() {
  if (!shown) return;
  const { photo, stylized } = shown;
  put(element('photo'), photo);
  put(element('result'), strength() === 1 ? stylized : mixed(photo, stylized, strength()));
  fit();
  element('save').disabled = false;
}

function put(canvas, image) {
  if (canvas.width !== image.width || canvas.height !== image.height) {
    Object.assign(canvas, { width: image.width, height: image.height });
  }
  canvas.getContext('2d').putImageData(image, 0, 0);
}

/** The share of the image that shows the photo; on the screen the image may be narrower than its canvas. */
function fit() {
  const { clientWidth, clientHeight, width, height } = element('result');
  const visible = Math.min(clientWidth, (clientHeight * width) / height);
  const margin = (clientWidth - visible) / 2;
  const share = element('compare').value / 100;
  const view = element('view').style;
  view.setProperty('--before', share === 0 ? '0%' : `${margin + share * visible}px`);
  view.setProperty('--divider', share === 0 || share === 1 ? 'hidden' : 'visible');
}

async function loadChosen() {
  const style = styles.chosen;
  if (!style) throw new Error('there is no style yet: wait, or add a network');
  say(`Loading ${style.title} …`);
  await engine.load(style.key, style.source);
  return style;
}

async function compute({ key }, image, name) {
  const result = await engine.stylize(key, image);
  shown = { photo: image, stylized: result.image, name, key };
  draw();
  return result.milliseconds;
}

/** Stylizes the photo as it is chosen now; what changes meanwhile is done next. */
async function stylizePhoto() {
  if (busy || !opened || !styles.chosen) {
    again = busy;
    waiting = !opened && !live.session; // for the camera's last frame
    return;
  }
  busy = true;
  await guarded(async () => {
    const { bitmap, name } = opened; // which the camera may replace meanwhile
    const image = pixelsOf(bitmap, bitmap.width, bitmap.height, side(), styles.chosen.minimum);
    const style = await loadChosen();
    say('Stylizing …');
    const milliseconds = await compute(style, image, name);
    if (!opened) return; // the camera shows its own by now
    element('result').setAttribute('aria-label', `${name} in the style of ${style.title}`);
    if (opened.bitmap !== bitmap) return;
    say(`${style.title}: ${image.width} × ${image.height} px`);
    time(`${Math.round(milliseconds)} ms`);
  });
  busy = false;
  if (again) {
    again = false;
    await stylizePhoto();
  }
}

async function open(file) {
  const own = ++turn;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not an image that this browser can read`);
  }
  if (own !== turn) return; // something was opened after it
  live.stop();
  opened = { bitmap, name: file.name ?? 'photo' };
  await stylizePhoto();
}

async function addNetwork(file) {
  if (!/\.onnx$/i.test(file.name)) throw new Error(`${file.name} is not an ONNX file: "stylenet export" makes one`);
  const title = file.name.replace(/\.onnx$/i, '');
  const key = title + ADDED;
  const source = await file.arrayBuffer();
  say(`Loading ${title} …`);
  await engine.load(key, source);
  styles.add({ key, title, about: 'added from a file', source }).checked = true;
  await stylizePhoto();
}

const isNetwork = ({ name }) => /\.(onnx|safetensors|pte|pth?|ckpt)$/i.test(name);

function take(file, asNetwork) {
  used = true;
  return guarded(() => (asNetwork ? addNetwork(file) : open(file)));
}

const live = new Live({
  camera: element('camera'),
  flip: element('flip'),
  chosen: () => styles.chosen,
  side,
  say,
  time,
  loadChosen,
  compute,
  started() {
    opened = null;
    waiting = false;
    element('result').setAttribute('aria-label', 'The camera in the chosen style');
  },
  /** Keeps the last frame as the photo, so that style and strength can still be changed. */
  async ended() {
    say('Camera off');
    if (opened || !shown) return; // it had not started
    const { photo, name } = shown;
    const bitmap = await createImageBitmap(photo);
    opened ??= { bitmap, name };
    if (waiting) await stylizePhoto(); // the style or the size was changed meanwhile
    waiting = false;
  },
});

function toggleCamera() {
  if (live.session) return live.end();
  used = true;
  turn++;
  return live.start();
}

function save() {
  const { name, key } = shown;
  element('result').toBlob((blob) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${name.replace(/\.[^.]*$/, '')}-${key.replace(ADDED, '')}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(`Saved as ${link.download}`);
  }, 'image/png');
}

function listen() {
  for (const id of ['open', 'add']) {
    element(id).addEventListener('change', ({ target }) => {
      const [file] = target.files;
      target.value = '';
      if (file) take(file, id === 'add' || isNetwork(file));
    });
  }
  element('camera').addEventListener('click', () => guarded(toggleCamera));
  element('flip').addEventListener('click', () => guarded(() => live.camera.flip()));
  element('save').addEventListener('click', save);
  element('side').addEventListener('change', () => stylizePhoto());
  element('strength').addEventListener('input', () => {
    element('strength-value').textContent = `${element('strength').value} %`;
    draw();
  });
  element('compare').addEventListener('input', ({ target }) => {
    target.setAttribute('aria-valuetext', `${target.value} % photo, from the left`);
    fit();
  });
  addEventListener('resize', fit);
  listenToDrops(element('view'));
}

function listenToDrops(view) {
  addEventListener('dragover', (event) => {
    event.preventDefault();
    view.classList.add('over');
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) view.classList.remove('over');
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    view.classList.remove('over');
    for (const file of event.dataTransfer.files) take(file, isNetwork(file));
  });
}

/** Keeps the page usable without a network, and asks for the headers that threads need where the host sends none. */
async function keepOffline() {
  if (!('serviceWorker' in navigator)) return;
  const registration = await navigator.serviceWorker.register('offline.js');
  if (crossOriginIsolated || sessionStorage.getItem('reloaded')) return;
  await installed(registration);
  if (!registration.active || used) return; // what was opened would be lost
  sessionStorage.setItem('reloaded', 'once');
  location.reload();
}

/** Waits until the service worker is at work, or could not be installed. */
function installed({ installing, waiting, active }) {
  const worker = installing ?? waiting ?? active;
  return new Promise((resolve) => {
    const check = () => ['activated', 'redundant'].includes(worker.state) && resolve();
    worker.addEventListener('statechange', check);
    check();
  });
}

async function start() {
  say('Loading …');
  listen();
  await keepOffline().catch(() => {}); // private windows and file hosts without it: the page works all the same
  const answer = await fetch('networks.json');
  for (const network of await answer.json()) styles.add(network);
  const [first] = element('styles').querySelectorAll('input');
  if (first) first.checked = true;
  await engine.start();
  const example = await (await fetch('example.jpg')).blob();
  if (turn === 0) await open(Object.assign(example, { name: 'example.jpg' }));
  else if (!shown) await stylizePhoto(); // which may have been opened before there was a style
  document.body.dataset.ready = 'true';
}

guarded(start);
