// What several pages show: cards, badges, tables, empty states, failures, copyable commands.

import { h, s, say } from "./dom.js";
import { words } from "./format.js";

const MARKS = { stable: "●", no_data: "○", insufficient_data: "○", data_drift: "▲", prediction_drift: "▲", performance_drop: "◆" };

export const badge = (outcome) =>
  h("span", { class: "badge", "data-outcome": outcome }, h("span", { "aria-hidden": "true" }, MARKS[outcome] ?? "●"), ` ${words(outcome)}`);

export function card(title, attributes, ...children) {
  const { aside, ...rest } = attributes ?? {};
  return h("section", { ...rest, class: `card ${rest.class ?? ""}` }, h("div", { class: "card-head" }, h("h2", {}, title), aside), ...children);
}

export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

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
      h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: c.number ? "number" : null }, c.title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((column, index) => cell(column, row, index))))),
    ),
  );
}

export const empty = (title, text, ...more) => h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text), ...more);

export function failure(error, retry) {
  const list = (error.errors ?? []).map((e) => h("li", {}, h("code", {}, e.pointer), ` ${e.detail}`));
  return h(
    "div",
    { class: "failure", role: "alert" },
    h("p", { class: "empty-title" }, error.title ?? "Something went wrong on this page"),
    h("p", {}, error.detail ?? "Reload the page. If it happens again, the browser's console says more."),
    list.length ? h("ul", {}, list) : null,
    retry ? h("button", { type: "button", onclick: retry }, "Try again") : null,
  );
}

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
  h("p", { class: "waiting" }, s("svg", { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true" }, s("circle", { cx: 12, cy: 12, r: 9 })), `Loading ${what} …`);

// Fills a place that may take longer than its page: waiting, then the content, or what went wrong.
export async function later(place, what, signal, load) {
  const attempt = async () => {
    place.replaceChildren(waiting(what));
    try {
      const content = await load();
      if (!signal.aborted) place.replaceChildren(...[content].flat());
    } catch (error) {
      if (signal.aborted) return;
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
