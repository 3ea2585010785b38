"use strict";

const MOST_BYTES = 14 * 2 ** 20; // base64 makes a third more of it, and the server takes 20 MB
const MOST_ARGUMENT = 100000; // Linux takes no longer argument of a command than 128 KiB
const SUPERSAMPLING = 8;
const byId = (id) => document.getElementById(id);
const state = { models: [], model: null, readers: {}, curl: "" };

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function base64(blob) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("the file cannot be read"));
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}

// --- Drawing ---

/** The square that holds the ink, in canvas pixels; null where there is none. */
function inked(canvas) {
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[4 * (y * width + x) + 3] > 64) {
        left = Math.min(left, x); right = Math.max(right, x);
        top = Math.min(top, y); bottom = Math.max(bottom, y);
      }
    }
  }
  if (right < 0) return null;
  const side = Math.max(right - left, bottom - top) + 1;
  return { x: (left + right + 1 - side) / 2, y: (top + bottom + 1 - side) / 2, side };
}

/** The drawing as the data would hold it: cropped, centred, as large as its pictures, every pixel a mean. */
async function picture(canvas, shape, darkOnLight) {
  const box = inked(canvas);
  if (!box) throw new Error("draw something first");
  const side = Math.min(shape[0] || 280, shape[1] || 280);
  const factor = side <= 64 ? SUPERSAMPLING : 1;
  const large = make("canvas", { width: side * factor, height: side * factor });
  // Digits of 8 x 8 pixels touch their frame; larger ones, as MNIST's, leave 4 of 28 pixels on each side.
  const filled = large.width * (side <= 8 ? 1 : 20 / 28);
  const start = (large.width - filled) / 2;
  const paint = large.getContext("2d");
  paint.imageSmoothingQuality = "high";
  paint.drawImage(canvas, box.x, box.y, box.side, box.side, start, start, filled, filled);
  const ink = paint.getImageData(0, 0, large.width, large.width).data;
  const small = make("canvas", { width: side, height: side });
  const result = small.getContext("2d").createImageData(side, side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (let v = 0; v < factor; v++) {
        for (let u = 0; u < factor; u++) sum += ink[4 * ((y * factor + v) * large.width + x * factor + u) + 3];
      }
      const value = sum / factor ** 2;
      result.data.fill(darkOnLight ? 255 - value : value, 4 * (y * side + x), 4 * (y * side + x) + 3);
      result.data[4 * (y * side + x) + 3] = 255;
    }
  }
  small.getContext("2d").putImageData(result, 0, 0);
  return new Promise((resolve) => small.toBlob(resolve, "image/png"));
}

/** Lets strokes be drawn; `changed` is called at the end of each. */
function drawable(canvas, brush, changed) {
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  let last = null;
  const point = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [(event.clientX - frame.left) * canvas.width / frame.width, (event.clientY - frame.top) * canvas.height / frame.height];
  };
  const line = (to) => {
    Object.assign(paint, { lineWidth: Number(brush.value), lineCap: "round", lineJoin: "round" });
    paint.strokeStyle = canvas.classList.contains("dark-on-light") ? "#000" : "#fff";
    paint.beginPath();
    paint.moveTo(...last);
    paint.lineTo(...to);
    paint.stroke();
    last = to;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    last = point(event);
    line(last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const passed = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const one of passed.length ? passed : [event]) line(point(one));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { if (last) { last = null; changed(); } });
  }
}

// --- Fields ---

function imageField(feature) {
  const field = byId("image-field").content.cloneNode(true).querySelector("fieldset");
  const [drop, shown, said] = [".drop", "img", ".sent span"].map((selector) => field.querySelector(selector));
  const [file, brush, dark] = ["file", "range", "checkbox"].map((type) => field.querySelector(`[type=${type}]`));
  const canvas = field.querySelector("canvas");
  field.querySelector("legend").textContent = feature.name;
  let chosen = null;
  const show = (blob, text) => {
    chosen = blob;
    if (shown.src) URL.revokeObjectURL(shown.src);
    shown.hidden = true;
    shown.removeAttribute("src");
    said.textContent = text;
    if (!blob) return;
    shown.onload = () => { shown.hidden = false; };
    shown.src = URL.createObjectURL(blob);
  };
  const take = (blob) => {
    if (!blob) return;
    drawing = null;
    show(blob, `${blob.name || "pasted"}, ${Math.ceil(blob.size / 1024)} kB`);
  };
  // A picture is made after each stroke; whoever asks meanwhile waits for the one of the last.
  let drawing = null;
  const drawn = () => {
    if (!inked(canvas)) return;
    const made = picture(canvas, feature.shape || [], dark.checked).then((blob) => {
      if (drawing === made) show(blob, "your drawing, as it is sent");
    });
    drawing = made;
  };
  const clear = () => {
    drawing = null;
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    show(null, "No picture yet.");
  };
  file.addEventListener("change", () => take(file.files[0]));
  field.querySelector("button").addEventListener("click", () => { file.value = ""; clear(); });
  dark.addEventListener("change", () => { canvas.classList.toggle("dark-on-light", dark.checked); recolour(canvas, dark.checked); drawn(); });
  for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", type === "dragenter" || type === "dragover");
      if (type === "drop") take(event.dataTransfer.files[0]);
    });
  }
  field.paste = take;
  drawable(canvas, brush, drawn);
  return [field, async () => {
    await drawing;
    if (!chosen) throw new Error(`${feature.name}: choose a picture or draw one`);
    if (chosen.size > MOST_BYTES) throw new Error(`${feature.name}: the picture is larger than 14 MB`);
    return { b64: await base64(chosen) };
  }];
}

function recolour(canvas, dark) {
  const paint = canvas.getContext("2d");
  paint.globalCompositeOperation = "source-in";
  paint.fillStyle = dark ? "#000" : "#fff";
  paint.fillRect(0, 0, canvas.width, canvas.height);
  paint.globalCompositeOperation = "source-over";
}

function typedField(feature, number) {
  const id = `field-${number}`;
  const shape = feature.shape ? (feature.shape.length ? `[${feature.shape.map((size) => size ?? "any").join(", ")}]` : "") : "any shape";
  const isNumber = feature.kind === "number" && !(feature.shape || []).length;
  const control = isNumber
    ? make("input", { id, type: "number", step: "any" })
    : make("textarea", { id, rows: 3, spellcheck: feature.kind === "text", dir: "auto" });
  const hint = [feature.dtype, shape, isNumber || feature.kind === "text" ? "" : "as JSON"].filter(Boolean).join(" ");
  const label = make("label", { htmlFor: id }, feature.name, " ", make("span", { className: "hint", textContent: hint }));
  const field = make("div", { className: "field" }, label, control);
  field.fill = (value) => { control.value = value ?? ""; };
  return [field, async () => {
    if (feature.kind === "text") return control.value;
    if (!control.value.trim()) throw new Error(`${feature.name}: type a ${isNumber ? "number" : "value, such as 1.5 or [1, 2]"}`);
    try {
      return JSON.parse(control.value);
    } catch (error) {
      throw new Error(`${feature.name}: this is no JSON: ${error.message}`);
    }
  }];
}

function choose(model) {
  state.model = model;
  state.readers = {};
  byId("fields").replaceChildren();
  byId("answer").replaceChildren(make("p", { className: "quiet", textContent: "Nothing asked yet." }));
  byId("curl-part").hidden = true;
  byId("ask").disabled = Boolean(model.error);
  const task = [model.task && model.task.replaceAll("_", " "), model.dataset && `on ${model.dataset}`];
  byId("facts").textContent = [model.name, model.version && `version ${model.version}`, ...task].filter(Boolean).join(" · ");
  document.title = `${model.name} · Playground`;
  if (model.error) return fail(model.error);
  model.features.forEach((feature, number) => {
    const made = feature.kind === "image" ? imageField : model.table ? columnField : typedField;
    const [element, read] = made(feature, number);
    byId("fields").append(element);
    state.readers[feature.name] = read;
  });
  byId("fields").classList.toggle("table", Boolean(model.table));
  if ((model.examples || []).length) byId("fields").prepend(exampleButton(model.examples));
}

// --- Asking ---

function fail(message) {
  byId("answer").replaceChildren(make("p", { className: "error" }, make("strong", { textContent: "No answer: " }), message));
}

function bars(answer) {
  const pairs = answer.probabilities.map((value, index) => [String(answer.classes[index]), Number(value)]);
  pairs.sort((one, other) => other[1] - one[1]);
  return make("ol", { className: "bars" }, ...pairs.slice(0, 10).map(([name, value]) => {
    const fill = make("i");
    fill.style.width = `${100 * value}%`;
    return make("li", {}, make("span", { className: "name", textContent: name }), make("span", { className: "bar", ariaHidden: "true" }, fill),
      make("span", { className: "value", textContent: `${(100 * value).toFixed(1)} %` }));
  }));
}

function show(answer, milliseconds) {
  const isNumber = Number.isFinite(answer) || (answer && Number.isFinite(answer.value));
  const isClasses = answer && Array.isArray(answer.probabilities) && Array.isArray(answer.classes) && answer.probabilities.length === answer.classes.length;
  const isMask = answer && answer.mask_bytes && answer.mask_bytes.b64;
  const parts = isMask ? mask(answer, state.model.palette) : isTranslation(answer) ? translation(answer) : isClasses
    ? [make("p", { className: "label", id: "label", textContent: String(answer.label) }), bars(answer)]
    : isNumber ? number(answer) : [make("pre", { id: "raw", tabIndex: 0, textContent: JSON.stringify(answer, null, 2) })];
  byId("answer").replaceChildren(...parts, make("p", { className: "quiet", id: "latency", textContent: `answered in ${Math.round(milliseconds)} ms` }));
}

/** The JSON of a request; a number that is missing is TF Serving's token NaN, which JavaScript's own does not write. */
function requestBody(values, isRow) {
  const one = Object.entries(values).map(([name, value]) => `${JSON.stringify(name)}:${Number.isNaN(value) ? "NaN" : JSON.stringify(value)}`).join(",");
  return isRow ? `{"instances":[{${one}}]}` : `{"inputs":{${one}}}`;
}

/** A command for a POSIX shell; a body that is too long for an argument goes in as a here-document. */
function curlLine(url, body) {
  if (body.length > MOST_ARGUMENT) return `curl -s '${url}' -d @- <<'END'\n${body}\nEND`;
  return `curl -s '${url}' -d '${body.replaceAll("'", "'\\''")}'`;
}

function showCurl(url, body) {
  state.curl = curlLine(url, body);
  const isLong = state.curl.length > 2 * MOST_ARGUMENT;
  byId("curl").textContent = isLong ? `${state.curl.slice(0, 2000)} ... ${state.curl.slice(-60)}` : state.curl;
  byId("copied").textContent = isLong ? "Shortened here; Copy takes all of it." : "";
  byId("curl-part").hidden = false;
}

async function ask() {
  const { model, readers } = state;
  const values = {};
  for (const [name, read] of Object.entries(readers)) values[name] = await read();
  const body = requestBody(values, model.row);
  showCurl(model.url, body);
  const began = performance.now();
  const response = await fetch(`/api/models/${encodeURIComponent(model.name)}/predict`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body,
  });
  const text = await response.text();
  const took = performance.now() - began;
  if (state.model !== model) return;
  let answer;
  try {
    // NaN and Infinity are tokens of TF Serving that JavaScript's JSON does not know.
    answer = JSON.parse(text.replace(/("(?:[^"\\]|\\.)*")|-?\b(?:NaN|Infinity)\b/g, (token, string) => string || `"${token}"`));
  } catch {
    throw new Error(`status ${response.status}, and what came is no JSON: ${text.slice(0, 300)}`);
  }
  if (!response.ok) throw new Error(answer.error || `status ${response.status}`);
  show(answer.predictions ? answer.predictions[0] : answer.outputs, took);
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("ask").disabled = true;
  try {
    await ask();
  } catch (error) {
    fail(error.message);
  } finally {
    byId("ask").disabled = Boolean(state.model.error);
  }
});
byId("model").addEventListener("change", (event) => choose(state.models[event.target.selectedIndex]));
byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(state.curl);
    byId("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(byId("curl"));
    byId("copied").textContent = "Selected; press Ctrl-C.";
  }
});
document.addEventListener("paste", (event) => {
  const field = document.querySelector("fieldset");
  const file = event.clipboardData.files[0];
  if (field && file) field.paste(file);
});
// A file dropped beside the zone must not replace the page.
for (const type of ["dragover", "drop"]) document.addEventListener(type, (event) => event.preventDefault());

(async () => {
  try {
    const response = await fetch("/api/models");
    const listed = await response.json();
    if (!response.ok) throw new Error(listed.error);
    state.models = listed.models;
    byId("model").append(...state.models.map((model) => make("option", { textContent: model.name })));
    byId("chooser").hidden = state.models.length < 2;
    choose(state.models[0]);
  } catch (error) {
    fail(error.message);
  }
})();
