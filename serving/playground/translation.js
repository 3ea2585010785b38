"use strict";

// An answer that is a text for a text, with what else the search found. Runs before page.js, whose functions it calls later.

/** Whether an answer is one: the other tasks' have other names. */
const isTranslation = (answer) => Boolean(answer) && typeof answer.translation === "string" && Array.isArray(answer.candidates) && Array.isArray(answer.scores);

/** An element that is written in the direction of its text. */
const written = (tag, text, properties = {}) => make(tag, { dir: "auto", textContent: text, ...properties });

/** Tokens up to the last one; what comes after it fills up a batch. */
function unpadded(tokens) {
  const kept = (tokens || []).map(String);
  while (kept.length && !kept.at(-1)) kept.pop();
  return kept;
}

/** How much each token of the answer attends to each of the source: a row for each, darker where it is more. */
function alignment(answer) {
  const [tokens, source] = [unpadded(answer.tokens), unpadded(answer.source_tokens)];
  const rows = answer.alignment || [];
  if (!tokens.length || !source.length || rows.length < tokens.length) return [];
  const head = make("tr", {}, make("td"), ...source.map((token) => written("th", token, { scope: "col" })));
  const body = tokens.map((token, row) => make("tr", {}, written("th", token, { scope: "row" }), ...source.map((_, column) => {
    const weight = Number(rows[row][column]);
    const cell = make("td", { className: "weight", title: `${token} to ${source[column]}: ${(100 * weight).toFixed(1)} %` });
    cell.style.setProperty("--weight", `${100 * weight}%`);
    cell.append(make("span", { className: "said", textContent: `${(100 * weight).toFixed(0)} %` }));
    return cell;
  })));
  const caption = make("caption", { textContent: "How much each token of the answer (rows) attends to each of the source (columns)." });
  const table = make("table", { id: "alignment" }, caption, make("thead", {}, head), make("tbody", {}, ...body));
  return [make("div", { className: "wide", tabIndex: 0, role: "region", ariaLabel: "Attention" }, table)];
}

/** The best text, all that were found with their scores, and the attention. */
function translation(answer) {
  const best = answer.translation
    ? written("p", answer.translation, { className: "label text", id: "label" })
    : make("p", { className: "quiet", id: "label", textContent: "An empty text." });
  const others = answer.candidates.map((text, place) => make("li", {}, written("span", String(text), { className: "found" }),
    make("span", { className: "value", textContent: Number(answer.scores[place]).toFixed(3) })));
  const list = make("ol", { className: "candidates", id: "candidates" }, ...others);
  return [best, make("p", { className: "quiet", textContent: "What the search found, with log-probabilities over the penalty of length:" }), list, ...alignment(answer)];
}
