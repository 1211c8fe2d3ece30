// The list of styles: those of the site, and networks that are dropped in.

const MINIMUM_SIDE = 16; // as most networks need

export class Styles {
  constructor(list, change) {
    this.list = list;
    this.entries = new Map();
    list.addEventListener('change', change);
  }

  /** The chosen one: { key, title, source, minimum }. */
  get chosen() {
    return this.entries.get(this.list.querySelector(':checked')?.value);
  }

  /** Adds a radio button; `source` is a URL or the bytes of an ONNX file, `minimum` the least side in pixels. */
  add({ key, title, about, thumbnail, source, minimum = MINIMUM_SIDE }) {
    this.entries.set(key, { key, title, source, minimum });
    this.remove(key);
    const label = Object.assign(document.createElement('label'), { className: 'style' });
    label.dataset.key = key;
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'style', value: key });
    const text = document.createElement('span');
    text.append(Object.assign(document.createElement('strong'), { textContent: title }));
    text.append(Object.assign(document.createElement('small'), { textContent: about }));
    label.append(input, thumbnail ? picture(thumbnail) : blank(), text);
    this.list.append(label);
    return input;
  }

  remove(key) {
    for (const label of this.list.children) if (label.dataset.key === key) label.remove();
  }
}

function picture(url) {
  return Object.assign(document.createElement('img'), { src: url, alt: '', width: 48, height: 48 });
}

function blank() {
  return Object.assign(document.createElement('span'), { className: 'blank' });
}
