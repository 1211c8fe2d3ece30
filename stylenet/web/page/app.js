// The page: a photo or the camera, a style, strength, before and after, save.

import { Camera } from './camera.js';
import { Engine } from './engine.js';
import { mixed, pixelsOf } from './pixels.js';
import { Styles } from './styles.js';

const element = (id) => document.getElementById(id);
const engine = new Engine(new URLSearchParams(location.search).get('engine') ?? 'auto', (line) => {
  element('engine').textContent = line;
});
const camera = new Camera();
const styles = new Styles(element('styles'), () => stylizePhoto());
const scratch = document.createElement('canvas');

let opened = null; // { bitmap, name }: the photo as it was opened
let photo = null; // ImageData at the size chosen
let stylized = null; // ImageData of the same size, in the style at full strength
let busy = false;
let again = false; // something changed while an image was computed
let session = null; // an object as long as the camera is wanted: from the click that starts it on
let pictures = 0; // images computed so far, for tests

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

function draw() {
  if (!photo || !stylized) return;
  put(element('photo'), photo);
  put(element('result'), strength() === 1 ? stylized : mixed(photo, stylized, strength()));
  fit();
  element('save').disabled = false;
  document.body.dataset.pictures = String(++pictures);
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
  const shown = Math.min(clientWidth, (clientHeight * width) / height);
  const margin = (clientWidth - shown) / 2;
  const share = element('compare').value / 100;
  const view = element('view').style;
  view.setProperty('--before', share === 0 ? '0%' : `${margin + share * shown}px`);
  view.setProperty('--divider', share === 0 || share === 1 ? 'hidden' : 'visible');
}

async function loadChosen() {
  if (!styles.chosen) throw new Error('there is no style yet: wait, or add a network');
  const { key, title, source } = styles.chosen;
  say(`Loading ${title} …`);
  await engine.load(key, source);
  return key;
}

async function compute(key, image) {
  const result = await engine.stylize(key, image);
  [photo, stylized] = [image, result.image];
  draw();
  return result.milliseconds;
}

/** Stylizes the photo as it is chosen now; what changes meanwhile is done next. */
async function stylizePhoto() {
  if (busy || !opened || !styles.chosen) {
    again = busy;
    return;
  }
  busy = true;
  await guarded(async () => {
    const { bitmap, name } = opened; // which the camera may replace meanwhile
    const image = pixelsOf(bitmap, bitmap.width, bitmap.height, side(), scratch);
    const key = await loadChosen();
    say('Stylizing …');
    const milliseconds = await compute(key, image);
    if (opened?.bitmap !== bitmap) return;
    const title = styles.entries.get(key).title;
    element('result').setAttribute('aria-label', `${name} in the style of ${title}`);
    say(`${title}: ${image.width} × ${image.height} px`);
    element('timing').textContent = `${Math.round(milliseconds)} ms`;
  });
  busy = false;
  if (again) {
    again = false;
    await stylizePhoto();
  }
}

async function open(file) {
  stopCamera();
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not an image that this browser can read`);
  }
  opened = { bitmap, name: file.name ?? 'photo' };
  await stylizePhoto();
}

async function addNetwork(file) {
  if (!/\.onnx$/i.test(file.name)) throw new Error(`${file.name} is not an ONNX file: "stylenet export" makes one`);
  const key = file.name.replace(/\.onnx$/i, '');
  const source = await file.arrayBuffer();
  say(`Loading ${key} …`);
  await engine.load(`${key} (added)`, source);
  styles.add({ key: `${key} (added)`, title: key, about: 'added from a file', source }).checked = true;
  await stylizePhoto();
}

const isNetwork = ({ name }) => /\.(onnx|safetensors|pte|pth?|ckpt)$/i.test(name);

function take(file, asNetwork) {
  return guarded(() => (asNetwork ? addNetwork(file) : open(file)));
}

function stopCamera() {
  session = null;
  camera.stop();
  element('camera').setAttribute('aria-pressed', 'false');
  element('flip').hidden = true;
}

/** Runs the camera until its session ends: by another click, a photo that is opened, or an error. */
async function startCamera() {
  const own = (session = {});
  element('camera').setAttribute('aria-pressed', 'true');
  say('Starting the camera …');
  try {
    await camera.start();
    const several = await Camera.several();
    if (session !== own) return;
    element('flip').hidden = !several;
    opened = null;
    element('result').setAttribute('aria-label', 'The camera in the chosen style');
    await runCamera(own);
  } finally {
    if (session === own) await endCamera();
  }
}

async function runCamera(own) {
  let style = null;
  let key = null;
  let last = performance.now();
  while (session === own) {
    if (styles.chosen !== style) {
      style = styles.chosen;
      key = await loadChosen();
      if (session !== own) return;
      say(`Camera: ${style.title}`);
    }
    await camera.ready(); // also the other one, after a click on it
    if (session !== own) return;
    const { video } = camera;
    const frame = pixelsOf(video, video.videoWidth, video.videoHeight, Math.min(side() || 512, 512), scratch);
    await compute(key, frame);
    const now = performance.now();
    element('timing').textContent = `${(1000 / (now - last)).toFixed(1)} images a second`;
    last = now;
  }
}

/** Keeps the last frame as the photo, so that style and strength can still be changed. */
async function endCamera() {
  stopCamera();
  say('Camera off');
  if (opened || !photo) return; // it had not started
  const bitmap = await createImageBitmap(photo);
  opened ??= { bitmap, name: 'camera' };
}

function save() {
  element('result').toBlob((blob) => {
    const link = document.createElement('a');
    const stem = (opened?.name ?? 'camera').replace(/\.[^.]*$/, '');
    link.href = URL.createObjectURL(blob);
    link.download = `${stem}-${styles.chosen.key.replace(' (added)', '')}.png`;
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
  element('camera').addEventListener('click', () => guarded(() => (session ? endCamera() : startCamera())));
  element('flip').addEventListener('click', () => guarded(() => camera.flip()));
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
  if (!registration.active) return;
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
  listen();
  await keepOffline().catch(() => {}); // private windows and file hosts without it: the page works all the same
  const answer = await fetch('networks.json');
  for (const network of await answer.json()) styles.add(network);
  const [first] = element('styles').querySelectorAll('input');
  if (first) first.checked = true;
  await engine.start();
  const example = await (await fetch('example.jpg')).blob();
  if (!opened && !session) await open(Object.assign(example, { name: 'example.jpg' }));
  document.body.dataset.ready = 'true';
}

guarded(start);
