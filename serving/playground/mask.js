"use strict";

// An answer that is a mask, coloured and over the picture that was asked. Runs before page.js, whose functions it calls later.

const MOST_NAMED = 20;

/** The colour of a class: the export's, else one of hues that lie far apart. */
function classColour(palette, index) {
  if (palette && palette[index]) return palette[index];
  const hue = (index * 0.381966) % 1;
  return [0, 1 / 3, 2 / 3].map((shift) => Math.round(255 * Math.min(1, Math.max(0, Math.abs(((hue + shift) % 1) * 6 - 3) - 1))));
}

/** The indices of a mask's pixels, painted in the colours of their classes. */
async function paintMask(canvas, encoded, palette) {
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none" });
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  paint.drawImage(bitmap, 0, 0);
  const drawn = paint.getImageData(0, 0, canvas.width, canvas.height);
  for (let place = 0; place < drawn.data.length; place += 4) drawn.data.set(classColour(palette, drawn.data[place]), place);
  paint.putImageData(drawn, 0, 0);
}

/** The mask over the picture, how much of it shows, and the classes that it holds with their shares. */
function mask(answer, palette) {
  const canvas = make("canvas", { id: "mask" });
  canvas.setAttribute("aria-label", "The mask: what each pixel shows");
  const asked = document.querySelector("fieldset .sent img");
  const stack = make("div", { className: "mask" }, canvas);
  if (asked && asked.src) {
    // A copy of its own: another picture may be chosen while this answer is looked at.
    const under = make("canvas", { width: asked.naturalWidth, height: asked.naturalHeight, ariaHidden: "true" });
    under.getContext("2d").drawImage(asked, 0, 0);
    stack.prepend(under);
  }
  const strength = make("input", { type: "range", min: 0, max: 100, value: 60, id: "strength" });
  const fade = () => { canvas.style.opacity = strength.value / 100; };
  strength.addEventListener("input", fade);
  fade();
  const shares = (answer.shares || []).map(Number);
  const held = shares.map((share, index) => [share, index]).filter(([share]) => share > 0).sort((one, other) => other[0] - one[0]);
  const legend = make("ul", { className: "legend" }, ...held.slice(0, MOST_NAMED).map(([share, index]) => {
    const swatch = make("i");
    swatch.style.background = `rgb(${classColour(palette, index)})`;
    return make("li", {}, swatch, `${answer.classes[index]} ${(100 * share).toFixed(1)} %`);
  }));
  if (held.length > MOST_NAMED) legend.append(make("li", { textContent: `and ${held.length - MOST_NAMED} more` }));
  paintMask(canvas, answer.mask_bytes.b64, palette).catch((error) => fail(`the mask is no PNG: ${error.message}`));
  return [stack, make("p", { className: "tools" }, make("label", {}, "Picture ", strength, " mask")), legend];
}
