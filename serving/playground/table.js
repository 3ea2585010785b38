"use strict";

// A form of a table's columns, and an answer that is a number. Runs before page.js, whose functions it calls later.

/** A column of a table: a line to type in, with the values that are known to choose from. */
function columnField(feature, number) {
  const id = `field-${number}`;
  const isNumber = feature.kind === "number";
  const known = feature.values || [];
  const control = make("input", { id, type: isNumber ? "number" : "text", step: "any", autocomplete: "off", spellcheck: false });
  const parts = [control];
  if (known.length) {
    control.setAttribute("list", `${id}-values`);
    parts.push(make("datalist", { id: `${id}-values` }, ...known.map((value) => make("option", { value }))));
  }
  if (feature.optional) control.placeholder = "missing";
  else control.required = true;
  const column = feature.column || feature.name;
  const hint = [isNumber ? "number" : "text", feature.about, feature.optional && "may stay empty"].filter(Boolean).join(" · ");
  const label = make("label", { htmlFor: id }, column, " ", make("span", { className: "hint", textContent: hint }));
  const field = make("div", { className: "field" }, label, ...parts);
  field.fill = (value) => { control.value = value ?? ""; };
  return [field, async () => {
    if (control.validity.badInput) throw new Error(`${column}: this is no number`);
    if (control.value === "" && !feature.optional) throw new Error(`${column}: type a ${isNumber ? "number" : "text"}, it may not be missing`);
    if (!isNumber) return control.value;
    const value = control.value === "" ? NaN : Number(control.value);
    if (!Number.isFinite(Math.fround(value)) && !Number.isNaN(value)) throw new Error(`${column}: ${control.value} is beyond float32`);
    return value;
  }];
}

/** A button that fills the form with one after the other of the model's own examples. */
function exampleButton(examples) {
  let next = 0;
  const button = make("button", { type: "button", id: "example", textContent: "Fill in an example" });
  button.addEventListener("click", () => {
    const row = examples[next++ % examples.length];
    state.model.features.forEach((feature, number) => byId("fields").querySelectorAll(".field")[number].fill(row[feature.name]));
  });
  return make("p", { className: "tools" }, button);
}

const shown = (value) => String(Number(Number(value).toPrecision(6)));

/** A number's place between the bounds of its interval, on an axis that is a little wider. */
function interval(answer) {
  const [low, value, high] = [answer.low, answer.value, answer.high].map(Number);
  const margin = (high - low) / 8 || 1;
  const place = (one) => `${100 * (one - low + margin) / (high - low + 2 * margin)}%`;
  const band = make("i");
  Object.assign(band.style, { left: place(low), width: `calc(${place(high)} - ${place(low)})` });
  const dot = make("b");
  dot.style.left = place(value);
  const ends = make("span", { className: "ends" }, ...[low, high].map((end) => {
    const text = make("span", { textContent: shown(end) });
    text.style.left = place(end);
    return text;
  }));
  const said = state.model.interval ? `The model expects ${shown(100 * state.model.interval)} % of such values in here.` : "The model's interval.";
  return make("div", { className: "interval", role: "img", ariaLabel: `between ${shown(low)} and ${shown(high)}` },
    make("span", { className: "axis", ariaHidden: "true" }, band, dot), ends, make("p", { className: "quiet", textContent: said }));
}

/** A number, alone or as "value" with its bounds. */
function number(answer) {
  const value = typeof answer === "object" ? answer.value : answer;
  const label = make("p", { className: "label", id: "label", textContent: shown(value) });
  return Number.isFinite(answer.low) && Number.isFinite(answer.high) ? [label, interval(answer)] : [label];
}
