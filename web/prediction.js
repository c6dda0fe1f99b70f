// @ts-check
// One prediction: what was asked, which model answered, and why. Only for those who may inspect.

import { call, hasLogin } from "./api.js";
import { contributions, gauge } from "./charts.js";
import { fixed, moment, percent } from "./format.js";
import { card, empty, facts, h, operator, table } from "./parts.js";

const OTHER = "__other__"; // what a category outside the contract is logged as

const yesNo = (value) => (value ? "yes" : "no");

/** A logged value with its unit, as people read it. */
function valueText({ value, kind, unit }) {
  if (value === null) return "not known";
  if (value === OTHER) return "another category";
  if (kind === "flag") return yesNo(value);
  return unit ? `${value} ${unit}` : String(value);
}

const signed = (points) => (Number.isFinite(points) ? `${points >= 0 ? "+" : "−"}${Math.abs(points).toFixed(1)}` : "–");

const valueColumns = [
  { title: "Feature", cell: (one) => h("span", { class: "column-name" }, one.title) },
  { title: "Value", cell: valueText },
];
const pointColumn = { title: "Points", number: true, cell: (one) => signed(one.points) };

function explanationCard(found) {
  const title = "What spoke for and against";
  if (found.baseline === null) return card(title, {}, empty("No explanation", found.problem));
  const strongest = [...found.features].sort((a, b) => Math.abs(b.points) - Math.abs(a.points));
  /** @type {[string, number][]} */
  const entries = strongest.map((one) => [one.title, one.points]);
  const note =
    `In percentage points. Knowing nothing, the model starts at ${percent(found.baseline)}; together the ` +
    `features lead to ${percent(found.probability)}. Bars to the right raise the probability.`;
  return card(title, {}, contributions(entries, 1), h("p", { class: "note" }, note));
}

/** What turned out to be true, if somebody has said so. */
function labelText({ label, label_observed_at: observed }) {
  return label === null ? "none yet" : `${yesNo(label)}, observed ${moment(observed)}`;
}

function answerCard(found) {
  const version = h("a", { href: `#/models/${found.model_version}` }, found.model_version);
  const answer = `${found.target ?? "answer"}: ${yesNo(found.predicted)}`;
  return card(
    "Answer",
    {},
    h("p", { class: "headline" }, percent(found.probability), h("small", {}, answer)),
    gauge(found.probability, found.threshold),
    facts([
      ["Time (UTC)", moment(found.predicted_at)],
      ["Version", version],
      ["Threshold", fixed(found.threshold)],
      ["Label", labelText(found)],
      ["Source", found.source],
      ["Reference", found.reference],
      ["Contract", h("code", {}, found.contract_version)],
    ]),
  );
}

/** The page of a prediction that can't be shown. */
function absent(title, ...text) {
  const crumbs = h("p", { class: "crumbs" }, h("a", { href: "#/predictions" }, "Predictions"), " / one");
  const content = h("div", { class: "stack" }, crumbs, h("h1", {}, "Prediction"), empty(title, ...text));
  return { title: "Prediction", content };
}

export async function prediction({ signal, parameter }) {
  if (!hasLogin) {
    const advice = "Single predictions open only for people who sign in, and here nobody does.";
    return absent(
      "Closed here",
      advice,
      h("p", {}, h("code", {}, operator("trace PREDICTION_ID")), " says where one came from."),
    );
  }
  let found;
  try {
    found = await call(`people/predictions/${encodeURIComponent(parameter)}`, { signal });
  } catch (/** @type {any} */ error) {
    if (error.status !== 404 && error.status !== 410) throw error;
    return absent(error.title, error.detail);
  }
  const print = h("button", { type: "button", class: "quiet", onclick: () => window.print() }, "Print");
  const context = found.context.length
    ? card(
        "Logged, not scored",
        {},
        table("Context", [{ ...valueColumns[0], title: "Column" }, valueColumns[1]], found.context),
      )
    : null;
  return {
    title: "Prediction",
    content: h(
      "div",
      { class: "stack" },
      h("p", { class: "crumbs" }, h("a", { href: "#/predictions" }, "Predictions"), " / one"),
      h("div", { class: "title-row" }, h("h1", {}, "Prediction"), print),
      h("p", { class: "note" }, h("code", {}, found.prediction_id), " This view is recorded with your address."),
      answerCard(found),
      explanationCard(found),
      card("What was asked", {}, table("Features", [...valueColumns, pointColumn], found.features)),
      context,
    ),
  };
}
