// @ts-check
// The parts that pages are made of: elements, cards, badges, tables, empty states, failures and
// commands to copy. Text is only ever inserted as text; nothing here parses HTML.

import { REFUSED } from "./api.js";
import { count, fixed, span, words } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Set attributes and event listeners (`onclick` and the like), and append children. Attributes and
 * children that are null, undefined or false are skipped; lists of children are flattened.
 * @template {Element} E
 * @param {E} element
 * @param {Record<string, any> | null | undefined} attributes
 * @param {any[]} children
 * @returns {E}
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  const present = (child) => child !== null && child !== undefined && child !== false;
  element.append(...children.flat(Infinity).filter(present));
  return element;
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any> | null} [attributes]
 * @param {any[]} children
 */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any> | null} [attributes]
 * @param {any[]} children
 */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/**
 * An element of the page itself, which is always there.
 * @template {HTMLElement} E
 * @param {string} selector
 * @param {{new (): E}} type
 * @returns {E}
 */
export function find(selector, type) {
  const element = document.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`The page has no ${selector}.`);
  return element;
}

/** Announce something to a screen reader. */
export function say(text) {
  find("#status", HTMLElement).textContent = text;
}

const MARKS = {
  stable: "●",
  no_data: "○",
  insufficient_data: "○",
  data_drift: "▲",
  prediction_drift: "▲",
  performance_drop: "◆",
};

/** The outcome of a drift run, as a word with a mark and a colour. */
export function badge(outcome) {
  const mark = h("span", { "aria-hidden": "true" }, MARKS[outcome] ?? "●");
  return h("span", { class: "badge", "data-outcome": outcome }, mark, ` ${words(outcome)}`);
}

/**
 * A titled section; `aside` stands beside the title.
 * @param {string} title
 * @param {{aside?: any, class?: string}} attributes
 * @param {any[]} children
 */
export function card(title, attributes = {}, ...children) {
  const head = h("div", { class: "card-head" }, h("h2", {}, title), attributes.aside);
  return h("section", { class: `card ${attributes.class ?? ""}` }, head, ...children);
}

/** Pairs of a name and a value; those without a value are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined);
  const rows = known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  return h("dl", { class: "facts" }, rows);
}

/**
 * A table that scrolls sideways where it is too wide. The first cell of a row names the row.
 * @param {string} caption
 * @param {{title: string, cell: (row: any) => any, number?: boolean, prose?: boolean}[]} columns
 *   `prose`: cells of sentences, which may have several lines
 * @param {any[]} rows
 */
export function table(caption, columns, rows) {
  const kind = (column) => (column.number ? "number" : column.prose ? "prose" : null);
  const heads = columns.map((column) => h("th", { scope: "col", class: kind(column) }, column.title));
  const cell = (column, row, index) => {
    const attributes = { scope: index ? null : "row", class: kind(column) };
    return h(index ? "td" : "th", attributes, column.cell(row));
  };
  const body = rows.map((row) =>
    h(
      "tr",
      {},
      columns.map((column, index) => cell(column, row, index)),
    ),
  );
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, caption),
      h("thead", {}, h("tr", {}, heads)),
      h("tbody", {}, body),
    ),
  );
}

/** What stands where there is nothing to show: why, and what to do. */
export const empty = (title, text, ...more) =>
  h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text), ...more);

/**
 * An error in words, with a button that tries again.
 * @param {any} error a Failure, or something with a title and a detail
 * @param {(() => void) | undefined} [retry]
 * @param {string} label
 */
export function failure(error, retry, label = "Try again") {
  const fields = (error.errors ?? []).map((e) => h("li", {}, h("code", {}, e.pointer), ` ${e.detail}`));
  const detail = error.detail ?? "Reload the page. If it happens again, look at the browser's console.";
  return h(
    "div",
    { class: "failure", role: "alert" },
    h("p", { class: "empty-title" }, error.title ?? "Something went wrong on this page"),
    h("p", {}, detail),
    fields.length ? h("ul", {}, fields) : null,
    retry ? h("button", { type: "button", onclick: retry }, label) : null,
  );
}

/** An operator's command for this deployment; the server writes its beginning into the page. */
export const operator = (name) => `${find("meta[name=operator]", HTMLMetaElement).content} ${name}`;

/** What the deployment is called; the server writes it into the page. */
export const deployment = () => find("meta[name=deployment]", HTMLMetaElement).content;

/** A command line with a button that copies it. */
export function command(text) {
  const code = h("code", {}, text);
  const button = h("button", { type: "button", class: "quiet", "aria-label": `Copy: ${text}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      say("Copied");
    } catch {
      getSelection()?.selectAllChildren(code);
      button.textContent = "Press Ctrl+C";
      say("Selected: press Control C");
    }
  });
  return h("div", { class: "command" }, code, button);
}

export function waiting(what) {
  const circle = s("circle", { cx: 12, cy: 12, r: 9 });
  const spinner = s("svg", { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true" }, circle);
  return h("p", { class: "waiting" }, spinner, `Loading ${what} …`);
}

/** The latest attempt to fill each place. */
const attempts = new WeakMap();

/**
 * Fill a place that may take longer than its page: first a spinner, then the content or what went
 * wrong. A new attempt for the same place cancels the one before, so that no older answer replaces
 * a newer one.
 * @param {HTMLElement} place
 * @param {string} what
 * @param {AbortSignal} signal of the page
 * @param {(ended: AbortSignal) => Promise<any>} load
 */
export async function later(place, what, signal, load) {
  const attempt = async () => {
    attempts.get(place)?.abort();
    const own = new AbortController();
    attempts.set(place, own);
    const ended = AbortSignal.any([signal, own.signal]);
    place.replaceChildren(waiting(what));
    try {
      const content = await load(ended);
      if (!ended.aborted) place.replaceChildren(...[content].flat());
    } catch (/** @type {any} */ error) {
      if (ended.aborted) return;
      if (error.status === REFUSED) throw error;
      if (error.title === undefined) console.error(error);
      place.replaceChildren(failure(error, () => attempt().catch(report)));
    }
  };
  await attempt();
}

/** Hand an error of a click or a background task to the page, which shows it. */
export function report(error) {
  dispatchEvent(new CustomEvent("circle-failure", { detail: error }));
}

export const METRICS = [
  ["f1", "F1"],
  ["saved_cost", "Saved cost"],
  ["precision", "Precision"],
  ["recall", "Recall"],
  ["roc_auc", "ROC AUC"],
  ["pr_auc", "PR AUC"],
  ["brier", "Brier score"],
  ["log_loss", "Log loss"],
  ["relative_calibration_error", "Relative calibration error"],
  ["calibration_error", "Expected calibration error"], // of trainings before the relative one
];

/** Figures of a segment: of production, and of a model card, whose names they are too. */
export const GROUP_FIGURES = [
  ["recall", "Recall (true positive rate)"],
  ["false_positive_rate", "False positive rate"],
  ["precision", "Precision"],
  ["selection_rate", "Called positive"],
  ["calibration_error", "Relative calibration error"],
  ["f1", "F1"],
];

/** A count or a share; null stands for one that would describe fewer than eleven people. */
export const disclosed = (value, format = count) => (value === null ? "suppressed" : format(value));

/**
 * A metric of a model card with its confidence interval, which older cards lack; null without it.
 * @returns {{value: number, low: number, high: number} | null}
 */
export function figure(model, name) {
  const value = model?.metrics?.[name];
  const [low, high] = model?.intervals?.[name] ?? [];
  return Number.isFinite(value) ? { value, low, high } : null;
}

/** The metrics that a model card has, each with its title. */
export function metricFigures(model) {
  return METRICS.flatMap(([name, title]) => {
    const found = figure(model, name);
    return found ? [{ title, ...found }] : [];
  });
}

/** Metrics as a list: title, value and interval, and a `note` if there is one. */
export function metricList(figures, { wide = false } = {}) {
  const row = (found) => {
    const note = found.note ? h("span", { class: "interval" }, found.note) : null;
    return h("div", {}, h("dt", {}, found.title), h("dd", {}, fixed(found.value), interval(found), note));
  };
  return h("dl", { class: wide ? "figures wide" : "figures" }, figures.map(row));
}

/** The bounds of a confidence interval; null where there are none. */
export function interval(found) {
  if (!Number.isFinite(found?.low) || !Number.isFinite(found?.high)) return null;
  return h("span", { class: "interval" }, `${fixed(found.low)} – ${fixed(found.high)}`);
}

/** Columns of a table of drift runs. */
export const runColumns = [
  {
    title: "Window (UTC)",
    cell: (run) => h("a", { href: `#/drift/${run.run_id}` }, span(run.start, run.end)),
  },
  { title: "Outcome", cell: (run) => badge(run.outcome) },
  { title: "Drifted", cell: (run) => run.drifted.join(", ") || "–" },
  { title: "Rows", number: true, cell: (run) => count(run.rows) },
  { title: "Version", cell: (run) => h("code", {}, run.version ?? "–") },
];
