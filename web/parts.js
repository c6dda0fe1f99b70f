// What pages are made of: elements from data, cards, badges, tables, empty states, failures,
// commands to copy. Text only ever becomes text: nothing here parses HTML.

import { count, fixed, span, words } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export function say(text) {
  document.getElementById("status").textContent = text;
}

const MARKS = {
  stable: "●",
  no_data: "○",
  insufficient_data: "○",
  data_drift: "▲",
  prediction_drift: "▲",
  performance_drop: "◆",
};

export const badge = (outcome) =>
  h(
    "span",
    { class: "badge", "data-outcome": outcome },
    h("span", { "aria-hidden": "true" }, MARKS[outcome] ?? "●"),
    ` ${words(outcome)}`,
  );

export function card(title, attributes, ...children) {
  const { aside, ...rest } = attributes ?? {};
  return h(
    "section",
    { ...rest, class: `card ${rest.class ?? ""}` },
    h("div", { class: "card-head" }, h("h2", {}, title), aside),
    ...children,
  );
}

export const facts = (pairs) =>
  h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );

// columns: [{title, cell(row), number?}]; the first cell of a row names the row.
export function table(caption, columns, rows) {
  const cell = (column, row, index) =>
    h(index ? "td" : "th", { scope: index ? null : "row", class: column.number ? "number" : null }, column.cell(row));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((c) => h("th", { scope: "col", class: c.number ? "number" : null }, c.title)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            columns.map((column, index) => cell(column, row, index)),
          ),
        ),
      ),
    ),
  );
}

export const empty = (title, text, ...more) =>
  h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text), ...more);

export function failure(error, retry, label = "Try again") {
  const list = (error.errors ?? []).map((e) => h("li", {}, h("code", {}, e.pointer), ` ${e.detail}`));
  return h(
    "div",
    { class: "failure", role: "alert" },
    h("p", { class: "empty-title" }, error.title ?? "Something went wrong on this page"),
    h("p", {}, error.detail ?? "Reload the page. If it happens again, the browser's console says more."),
    list.length ? h("ul", {}, list) : null,
    retry ? h("button", { type: "button", onclick: retry }, label) : null,
  );
}

// How an operator calls a command for this deployment; the page is told by who serves it.
export const operator = (name) => `${document.querySelector("meta[name=operator]").content} ${name}`;

export function command(text) {
  const button = h("button", { type: "button", class: "quiet", "aria-label": `Copy: ${text}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      say("Copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.previousSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Press Ctrl+C";
      say("Selected: press Control C");
    }
  });
  return h("div", { class: "command" }, h("code", {}, text), button);
}

export const waiting = (what) =>
  h(
    "p",
    { class: "waiting" },
    s(
      "svg",
      { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true" },
      s("circle", { cx: 12, cy: 12, r: 9 }),
    ),
    `Loading ${what} …`,
  );

const attempts = new WeakMap();

// Fills a place that may take longer than its page: waiting, then the content, or what went wrong.
// Another attempt for the same place ends the one before, so that no older answer comes over it.
export async function later(place, what, signal, load) {
  const attempt = async () => {
    attempts.get(place)?.abort();
    const mine = new AbortController();
    attempts.set(place, mine);
    const ended = AbortSignal.any([signal, mine.signal]);
    place.replaceChildren(waiting(what));
    try {
      const content = await load(ended);
      if (!ended.aborted) place.replaceChildren(...[content].flat());
    } catch (error) {
      if (ended.aborted) return;
      if (error.status === 403) throw error;
      if (error.title === undefined) console.error(error);
      place.replaceChildren(failure(error, () => attempt().catch(report)));
    }
  };
  await attempt();
}

// An error behind a click or a pause, handed to the page around it.
export function report(error) {
  dispatchEvent(new CustomEvent("circle-failure", { detail: error }));
}

export const METRICS = [
  ["f1", "F1"],
  ["precision", "Precision"],
  ["recall", "Recall"],
  ["roc_auc", "ROC AUC"],
  ["pr_auc", "PR AUC"],
  ["brier", "Brier score"],
  ["log_loss", "Log loss"],
  ["calibration_error", "Calibration error"],
];

// {value, low, high} of a card's test figure; older cards have no intervals.
export function figure(of, name) {
  const value = of?.metrics?.[name];
  const [low, high] = of?.intervals?.[name] ?? [];
  return Number.isFinite(value) ? { value, low, high } : null;
}

export const interval = (found) =>
  Number.isFinite(found?.low) && Number.isFinite(found?.high)
    ? h("span", { class: "interval" }, `${fixed(found.low)} – ${fixed(found.high)}`)
    : null;

export const runColumns = [
  { title: "Window (UTC)", cell: (run) => h("a", { href: `#/drift/${run.run_id}` }, span(run.start, run.end)) },
  { title: "Outcome", cell: (run) => badge(run.outcome) },
  { title: "Drifted", cell: (run) => run.drifted.join(", ") || "–" },
  { title: "Rows", number: true, cell: (run) => count(run.rows) },
  { title: "Version", cell: (run) => h("code", {}, run.version ?? "–") },
];
