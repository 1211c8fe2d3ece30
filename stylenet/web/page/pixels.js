// Pixels: from a file or a video to the size asked for, and the strength of a style.

const MAXIMUM_PIXELS = 2_000_000; // what a browser's memory takes with a full-size network

const canvas = document.createElement('canvas');

/** The RGBA pixels of an image or a video frame, its longest side brought down to `side` px; 0 keeps its own size.
 * Both sides must then have `minimum` px. */
export function pixelsOf(source, width, height, side, minimum) {
  const factor = Math.min(1, side ? side / Math.max(width, height) : Math.sqrt(MAXIMUM_PIXELS / (width * height)));
  canvas.width = Math.max(1, Math.round(width * factor));
  canvas.height = Math.max(1, Math.round(height * factor));
  if (Math.min(canvas.width, canvas.height) < minimum) {
    const size = factor < 1 ? `, and this one is ${canvas.width} × ${canvas.height} px at the longest side chosen` : '';
    throw new Error(`an image must be at least ${minimum} px wide and high${size}`);
  }
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** The photo at strength 0, the stylized image at 1, and beyond it further along the same line. */
export function mixed(photo, stylized, strength) {
  const result = new ImageData(photo.width, photo.height);
  for (let i = 0; i < result.data.length; i++) {
    result.data[i] = photo.data[i] + strength * (stylized.data[i] - photo.data[i]); // clamps and rounds
  }
  return result;
}
