// @ts-check
// Distributions: each column of a run in the reference and in the window, side by side.

import { distribution } from "./charts.js";
import { percent } from "./format.js";
import { badge, card, disclosed, h, table } from "./parts.js";

/** @typedef {{name: string, reference: number | null, current: number | null}} Bin */

/** The bins of a number: below the first edge, between edges, and from the last one on. @returns {Bin[]} */
function numberBins({ edges, reference, current }) {
  return reference.map((share, n) => {
    const name =
      n === 0
        ? `under ${edges[0]}`
        : n === edges.length
          ? `${edges[n - 1]} and over`
          : `${edges[n - 1]} to under ${edges[n]}`;
    return { name, reference: share, current: current[n] };
  });
}

/** The groups of a category or a flag; small ones are merged already. @returns {Bin[]} */
function groupBins({ kind, reference, current }) {
  const names = [...new Set([...Object.keys(reference.shares), ...Object.keys(current.shares)])];
  const read = (name) => (kind === "flag" ? ({ 0: "no", 1: "yes" }[name] ?? name) : name.replaceAll("_", " "));
  return names.map((name) => ({
    name: read(name),
    reference: reference.shares[name] ?? 0,
    current: current.shares[name] ?? 0,
  }));
}

/** What there is to draw of a column; empty where the run did not keep it. */
function binsOf(column) {
  if (column.histogram) return numberBins(column.histogram);
  return column.kind === "number" ? [] : groupBins(column);
}

/** Of more columns, those that drifted are drawn at first. */
const MOST_DRAWN = 24;

const columns = [
  { title: "Values", cell: (bin) => bin.name },
  { title: "Reference", number: true, cell: (bin) => disclosed(bin.reference, percent) },
  { title: "Window", number: true, cell: (bin) => disclosed(bin.current, percent) },
];

function figure(column, bins) {
  const title = column.title || column.name;
  const unit = column.unit ? h("span", { class: "note" }, ` ${column.unit}`) : null;
  const drifted = column.tests.some((test) => test.drifted);
  const caption = h(
    "figcaption",
    { class: "title-row" },
    h("span", { class: "column-name" }, title, unit),
    drifted ? badge("data_drift") : null,
  );
  return h(
    "figure",
    {},
    caption,
    distribution(bins, title, column.histogram?.edges),
    h("details", {}, h("summary", {}, "As a table"), table(`Distribution of ${title}`, columns, bins)),
  );
}

/**
 * A picture of each column, those that drifted first.
 * @param {any[]} found columns in the order in which they are shown
 */
export function distributionsCard(found) {
  const drawn = found.map((column) => [column, binsOf(column)]).filter(([, bins]) => bins.length);
  if (!drawn.length) return null;
  const drifted = drawn.filter(([column]) => column.tests.some((test) => test.drifted));
  const select = h(
    "select",
    { id: "shown", name: "shown" },
    h("option", { value: "all" }, `all ${drawn.length} columns`),
    h("option", { value: "drifted", selected: drawn.length > MOST_DRAWN }, "drifted columns"),
  );
  const place = h("div", { class: "multiples" });
  const draw = () => {
    const shown = select.value === "all" ? drawn : drifted;
    place.replaceChildren(
      ...(shown.length ? shown.map(([c, bins]) => figure(c, bins)) : [h("p", { class: "note" }, "No column drifted.")]),
    );
  };
  select.addEventListener("change", draw);
  draw();
  const swatch = (side) => h("span", { class: "swatch", "data-side": side });
  const legend = h(
    "ul",
    { class: "legend" },
    h("li", {}, swatch("reference"), "Reference"),
    h("li", {}, swatch("current"), "Window"),
    h("li", {}, "Shares of the valid values. Where one would describe fewer than eleven people, nothing is drawn."),
  );
  const form = h("div", { class: "inline-form" }, h("label", { for: "shown" }, "Show"), select);
  return card("Distributions", {}, form, legend, place);
}
