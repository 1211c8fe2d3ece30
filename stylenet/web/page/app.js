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
    const image = pixelsOf(opened.bitmap, opened.bitmap.width, opened.bitmap.height, side(), scratch);
    const key = await loadChosen();
    say('Stylizing …');
    const milliseconds = await compute(key, image);
    const title = styles.entries.get(key).title;
    element('result').setAttribute('aria-label', `${opened.name} in the style of ${title}`);
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
  camera.stop();
  element('camera').setAttribute('aria-pressed', 'false');
  element('flip').hidden = true;
}

async function startCamera() {
  await camera.start();
  element('camera').setAttribute('aria-pressed', 'true');
  element('flip').hidden = !(await Camera.several());
  opened = null;
  element('result').setAttribute('aria-label', 'The camera in the chosen style');
  await runCamera();
}

async function runCamera() {
  let style = null;
  let last = performance.now();
  while (camera.on) {
    if (styles.chosen.key !== style) {
      style = await loadChosen();
      say(`Camera: ${styles.chosen.title}`);
    }
    const { video } = camera;
    const frame = pixelsOf(video, video.videoWidth, video.videoHeight, Math.min(side() || 512, 512), scratch);
    await compute(style, frame);
    const now = performance.now();
    element('timing').textContent = `${(1000 / (now - last)).toFixed(1)} images a second`;
    last = now;
  }
}

/** Keeps the last frame as the photo, so that style and strength can still be changed. */
async function endCamera() {
  stopCamera();
  if (photo) opened = { bitmap: await createImageBitmap(photo), name: 'camera' };
  say('Camera off');
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
  element('camera').addEventListener('click', () => guarded(() => (camera.on ? endCamera() : startCamera().finally(stopCamera))));
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
  await navigator.serviceWorker.register('offline.js');
  await navigator.serviceWorker.ready;
  if (!crossOriginIsolated && !sessionStorage.getItem('reloaded')) {
    sessionStorage.setItem('reloaded', 'once');
    location.reload();
  }
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
  if (!opened && !camera.on) await open(Object.assign(example, { name: 'example.jpg' }));
  document.body.dataset.ready = 'true';
}

guarded(start);
