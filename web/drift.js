// @ts-check
// One drift run: its verdict, reports, columns, performance and segments.

import { call, url } from "./api.js";
import { sparkline } from "./charts.js";
import { distributionsCard } from "./distributions.js";
import { amount, count, fixed, moment, percent, span, tiny, words } from "./format.js";
import {
  GROUP_FIGURES,
  METRICS,
  badge,
  card,
  disclosed,
  empty,
  facts,
  h,
  interval,
  metricList,
  say,
  table,
  waiting,
} from "./parts.js";

const REPORTS = ["data_drift", "prediction_drift", "target_drift", "performance"];
const THRESHOLD = 0.1; // domain.drift.drift.EFFECT_THRESHOLD; a test compares them
const Q_THRESHOLD = 0.001; // domain.drift.drift.Q_THRESHOLD; likewise

const MISSING = {
  target_drift: "The target drift report needs labels: send them to POST /labels.",
  performance:
    "The performance report needs labels, for at least eleven predictions of each outcome and of each answer.",
};

/** The framed report with a link that opens it in a tab of its own. */
function reportView(name, link) {
  // Another origin and a sandbox: whatever the report holds, it can't reach this page or its key.
  const view = h("iframe", {
    sandbox: "allow-scripts",
    referrerpolicy: "no-referrer",
    title: `${words(name)} report`,
    src: url(link),
  });
  const spinner = waiting("the report");
  view.addEventListener("load", () => spinner.remove(), { once: true });
  const tab = { href: url(link), target: "_blank", rel: "noopener noreferrer" };
  const note = h(
    "p",
    { class: "note" },
    "Drawn by Evidently from this run's sample. ",
    h("a", tab, "Open in a tab of its own"),
  );
  return [spinner, view, note];
}

function reports(links) {
  const frame = h("div", { class: "report" });
  const buttons = REPORTS.map((name) => {
    const link = links[name];
    const title = link ? null : (MISSING[name] ?? "This run has no such report.");
    const button = h("button", { type: "button", "aria-pressed": "false", disabled: !link, title }, words(name));
    button.addEventListener("click", () => {
      const wasOpen = button.getAttribute("aria-pressed") === "true";
      buttons.forEach((other) => other.setAttribute("aria-pressed", "false"));
      frame.replaceChildren();
      if (wasOpen) return;
      button.setAttribute("aria-pressed", "true");
      frame.replaceChildren(...reportView(name, link));
      say(`${words(name)} report opened`);
    });
    return button;
  });
  const missing = REPORTS.filter((name) => !links[name] && MISSING[name]).map((name) => MISSING[name]);
  return [
    h("div", { class: "segmented", role: "group", "aria-label": "Reports" }, buttons),
    missing.length ? h("p", { class: "note" }, missing.join(" ")) : null,
    frame,
  ];
}

/** Tests whose effect is a ratio: 1 without a change, and as large at 1/2 as at 2. */
const RATIOS = ["odds_ratio", "share_ratio"];

/** The effect in multiples of its limit, as domain.drift.drift.strength. */
const strength = ({ method, effect, limit }) =>
  RATIOS.includes(method) ? Math.abs(Math.log(effect)) / Math.log(limit) : effect / limit;

/** The test that drifted with the strongest effect; without one, the strongest effect. */
const strongest = (column) => [...column.tests].sort((a, b) => b.drifted - a.drifted || strength(b) - strength(a))[0];

/** An effect with its unit. */
function effect(test) {
  if (!test) return "–";
  if (test.method === "share_difference") return `${fixed(100 * test.effect, 1)} points`;
  return RATIOS.includes(test.method) ? `${fixed(test.effect)} ×` : fixed(test.effect);
}

/** What people call a column; runs of earlier releases have its name only. */
const titleOf = (column) => column.title || column.name;

/** Mean, or the share of the category that moved most, in the reference and in the window. */
function change({ reference, current, unit }) {
  if (Number.isFinite(reference.mean) && Number.isFinite(current.mean)) {
    return `${reference.mean} → ${current.mean}${unit ? ` ${unit}` : ""}`;
  }
  const [before, after] = [reference, current].map((side) => new Map(Object.entries(side.shares)));
  const difference = (name) => Math.abs((after.get(name) ?? 0) - (before.get(name) ?? 0));
  const names = [...new Set([...before.keys(), ...after.keys()])];
  if (!names.length) return "–";
  const [name] = names.sort((a, b) => difference(b) - difference(a));
  return `${name}: ${percent(before.get(name) ?? 0)} → ${percent(after.get(name) ?? 0)}`;
}

/** What of the log the run did not use, and why. */
function leftOut({ malformed, unreadable_objects: objects, copies }) {
  /** @type {[string, number][]} */
  const counts = Object.entries(malformed);
  const reasons = counts.sort((a, b) => b[1] - a[1]).map(([reason, rows]) => `${count(rows)} ${reason}`);
  const parts = [
    reasons.length ? `malformed rows: ${reasons.join(", ")}` : null,
    objects ? `unreadable objects: ${count(objects)}` : null,
    copies ? `copies: ${count(copies)}` : null,
  ];
  return parts.filter(Boolean).join("; ") || "nothing";
}

function verdict({ column, test }) {
  if (!test) return h("span", { class: "note" }, column.problem ?? "not compared");
  if (!test.drifted && column.tests.some(({ rhythm }) => rhythm === "explained")) {
    const title = "Differs as on the same weekday of the weeks before, while the whole week before does not.";
    return h("span", { class: "badge", "data-outcome": "stable", title }, "Weekly rhythm");
  }
  const [outcome, mark, text] = test.drifted ? ["data_drift", "▲ ", "Drifted"] : ["stable", "● ", "Stable"];
  return h("span", { class: "badge", "data-outcome": outcome }, h("span", { "aria-hidden": "true" }, mark), text);
}

const columnColumns = [
  { title: "Column", cell: ({ column }) => h("span", { class: "column-name" }, titleOf(column)) },
  { title: "Verdict", cell: verdict },
  { title: "Importance", number: true, cell: ({ importance }) => percent(importance, 0) },
  { title: "Effect size", number: true, cell: ({ test }) => effect(test) },
  { title: "q-value", number: true, cell: ({ test }) => tiny(test?.q_value) },
  { title: "Distance in the latest runs", cell: ({ points }) => (points.length ? sparkline(points, THRESHOLD) : "–") },
  { title: "Missing", number: true, cell: ({ column }) => disclosed(column.current.missing, percent) },
  { title: "Invalid", number: true, cell: ({ column }) => disclosed(column.current.invalid, percent) },
  { title: "Reference → window", cell: ({ column }) => change(column) },
  { title: "Rows", number: true, cell: ({ test }) => (test ? disclosed(test.rows) : "–") },
];

/** All compared columns with what is said of them; `importance` is undefined where it is not known. */
const rowsOf = (summary, history, importance) =>
  [...summary.columns, summary.prediction, summary.target].filter(Boolean).map((column) => ({
    column,
    test: strongest(column),
    points: history[column.column] ?? [],
    importance: importance[column.name],
  }));

const ORDERS = {
  /** How far a column drifted, weighted by how much the model's answers rest on it. */
  weighted: ({ test, importance }) => (test ? strength(test) * (importance ?? 0) : -1),
  effect: ({ test }) => (test ? strength(test) : -1),
};

/** Sort rows: what drifted first, then by one of the orders. */
function sortRows(rows, order) {
  const drifted = ({ test }) => (test?.drifted ? 1 : 0);
  const [rank, other] = [ORDERS[order], ORDERS.effect];
  return [...rows].sort((a, b) => drifted(b) - drifted(a) || rank(b) - rank(a) || other(b) - other(a));
}

function columnsCard(rows, weighted) {
  if (!rows.length) return null;
  const select = h(
    "select",
    { id: "order", name: "order" },
    h("option", { value: "weighted" }, "effect × importance"),
    h("option", { value: "effect" }, "effect size"),
  );
  const place = h("div", { class: "body" });
  const shown = weighted ? columnColumns : columnColumns.filter(({ title }) => title !== "Importance");
  const draw = () => {
    const sorted = sortRows(rows, weighted ? select.value : "effect");
    place.replaceChildren(table("Columns compared", shown, sorted));
  };
  select.addEventListener("change", draw);
  draw();
  const rule = `drifted: the effect is certainly beyond its limit, q < ${Q_THRESHOLD} and enough rows`;
  const meaning = "Importance: the share of the model's answers that rests on the column, by mean absolute SHAP value.";
  return card(
    "Columns",
    { aside: h("span", { class: "note" }, rule) },
    weighted ? h("div", { class: "inline-form" }, h("label", { for: "order" }, "Order by"), select) : null,
    place,
    weighted ? h("p", { class: "note more" }, meaning) : null,
  );
}

/** What has changed, each finding in a sentence, as mails and reports say it. */
function findingsCard({ sentences = [] }) {
  if (!sentences.length) return null;
  const items = sentences.map((sentence) => h("li", {}, sentence));
  return card("Findings", {}, h("ul", { class: "findings" }, items));
}

const measureName = (name) => METRICS.find(([key]) => key === name)?.[1] ?? words(name);

/** The figures that are known, each with its value on the test rows. */
function besideTestRows({ figures, test }) {
  const known = Object.entries(figures ?? {}).filter(([, metric]) => metric);
  return known.map(([name, metric]) => {
    const note = Number.isFinite(test[name]) ? `test rows ${fixed(test[name])}` : null;
    return { title: measureName(name), ...metric, note };
  });
}

function measuredPart(measured) {
  const figures = besideTestRows(measured);
  const sample =
    measured.labelled === null
      ? "nearly all predictions of the sample"
      : `${amount(measured.labelled, "prediction")} with a label (${percent(measured.coverage)} of the sample)`;
  const result = measured.dropped
    ? "performance has dropped"
    : measured.has_enough_labels
      ? null
      : "too few for a verdict";
  const { calibration, declined = [] } = measured;
  const suppressed = "The figures are suppressed: they rest on fewer than eleven predictions of one outcome or answer.";
  return [
    h("p", {}, `Measured on ${sample}${result ? `: ${result}` : ""}.`),
    figures.length ? metricList(figures, { wide: true }) : h("p", { class: "note" }, suppressed),
    calibration ? h("p", { class: "note" }, calibrationText(calibration)) : null,
    declined.length ? h("p", {}, `Certainly worse: ${declined.map(measureName).join(", ")}.`) : null,
  ];
}

function calibrationText({ slope, observed_ratio: ratio }) {
  const bounds = ({ value, low, high }) => `${fixed(value)} (${fixed(low)} – ${fixed(high)})`;
  const outcomes = ratio ? `; ${bounds(ratio)} times as many positive outcomes as predicted` : "";
  return `Calibration: slope ${bounds(slope)}, where 1 is right${outcomes}.`;
}

function expectedPart(expected) {
  const dropped = expected.dropped ? ": by this estimate it has dropped" : "";
  const shift = expected.label_shift; // runs of earlier releases lack it
  const figures = [
    { title: "F1 if only the inputs have changed", ...expected.f1 },
    shift ? { title: `F1 if only the prevalence has changed, to ${percent(shift.prevalence)}`, ...shift.f1 } : null,
  ];
  return [
    h("p", {}, `Expected F1, against ${fixed(expected.reference_f1)} on the reference${dropped}.`),
    metricList(figures.filter(Boolean), { wide: true }),
    h("p", { class: "note" }, expected.note),
  ];
}

function drawnPart(drawn) {
  const figures = besideTestRows(drawn);
  const labelled = drawn.labelled === null ? "nearly all labels" : amount(drawn.labelled, "label");
  const result = drawn.dropped
    ? ": performance has dropped"
    : drawn.has_enough_labels
      ? ""
      : ": too few labels for a verdict";
  const window = span(drawn.start, drawn.end);
  return [
    h("p", {}, `Estimated from ${labelled} of ${amount(drawn.drawn, "prediction")} drawn from ${window}${result}.`),
    figures.length ? metricList(figures, { wide: true }) : null,
  ];
}

function performanceCard({ performance: measured, expectation: expected, drawn }) {
  if (!measured && !expected && !drawn) return null;
  const parts = [measured && measuredPart(measured), drawn && drawnPart(drawn), expected && expectedPart(expected)];
  return card("Performance", {}, ...parts);
}

const driftedColumns = (segment) => segment.columns.filter((column) => column.tests.some((test) => test.drifted));

/** The column of a segment with the strongest effect; undefined where none was tested. */
function strongestColumn(segment) {
  const tested = segment.columns.filter((column) => column.tests.length);
  return tested.sort((a, b) => strength(strongest(b)) - strength(strongest(a)))[0];
}

function driftedNames(segment) {
  if (!segment.columns.length) return h("span", { class: "note" }, "too few rows");
  const names = driftedColumns(segment).map(titleOf);
  return names.join(", ") || "–";
}

const segmentColumns = [
  { title: "Segment", cell: (segment) => h("span", { class: "column-name" }, segment.name) },
  { title: "Drifted columns", cell: driftedNames },
  {
    title: "Strongest effect",
    cell: (segment) => {
      const column = strongestColumn(segment);
      return column ? `${titleOf(column)} ${effect(strongest(column))}` : "–";
    },
  },
  {
    title: "q-value",
    number: true,
    cell: (segment) => {
      const column = strongestColumn(segment);
      return column ? tiny(strongest(column).q_value) : "–";
    },
  },
  { title: "Rows", number: true, cell: (segment) => disclosed(segment.rows) },
  { title: "Reference rows", number: true, cell: (segment) => disclosed(segment.reference_rows) },
];

function segmentsCard(summary) {
  const segments = [...(summary.segments ?? [])];
  if (!segments.length) return null;
  segments.sort((a, b) => driftedColumns(b).length - driftedColumns(a).length);
  return card("Segments", {}, table("Segments", segmentColumns, segments));
}

/** A segment's figure with its interval, its value on the reference, and a mark if it has changed. */
function groupFigure({ performance: measured }, name) {
  const found = measured.figures[name];
  if (!found?.now) return "–";
  const before = Number.isFinite(found.reference) ? `reference ${fixed(found.reference)}` : null;
  return [
    found.changed ? h("span", { class: "badge", "data-outcome": "performance_drop" }, "◆ changed") : null,
    " ",
    fixed(found.now.value),
    " ",
    interval(found.now),
    before ? h("span", { class: "interval" }, before) : null,
  ];
}

const fairnessColumns = [
  { title: "Segment", prose: true, cell: (segment) => h("span", { class: "column-name" }, segment.name) },
  { title: "Labels", number: true, cell: ({ performance: measured }) => disclosed(measured.labelled) },
  { title: "Positives", number: true, cell: ({ performance: measured }) => disclosed(measured.positives) },
  ...GROUP_FIGURES.map(([name, title]) => ({
    title,
    number: true,
    cell: (segment) => groupFigure(segment, name),
  })),
];

/** How many figures of a segment have changed, and then how low its recall is: the worst comes first. */
function worstFirst(a, b) {
  const [changed, other] = [a, b].map((segment) => {
    const figures = Object.values(segment.performance.figures);
    return figures.filter((found) => found.changed).length;
  });
  const recall = (segment) => segment.performance.figures.recall?.now?.value ?? Infinity;
  return other - changed || recall(a) - recall(b);
}

/** How the model treats the people of each segment, by the labels that have arrived. */
function fairnessCard(summary) {
  const measured = (summary.segments ?? []).filter((segment) => segment.performance);
  if (!measured.length) return null;
  const few = measured.some((segment) => !segment.performance.has_enough_labels);
  const notes = [
    "Of the predictions that have a label, the worst segment first.",
    "In small print: the 95 % interval, and the value on the reference.",
    "Changed: by 0.05 or more for the worse (of the share called positive, in either direction),",
    `and q < ${Q_THRESHOLD}.`,
    few ? "Segments with fewer than 100 labels, or 30 of either outcome, are shown but not compared." : null,
  ];
  const note = h("p", { class: "note more" }, notes.filter(Boolean).join(" "));
  const rows = [...measured].sort(worstFirst);
  return card("Performance by segment", {}, table("Performance by segment", fairnessColumns, rows), note);
}

/** Why a run has no verdict, if that needs saying. */
function explanation(summary) {
  if (summary.outcome === "no_data") {
    const advice = "The model was not asked anything then. Choose another window, or send predictions first.";
    return empty("No prediction in this window", advice);
  }
  // A run without a verdict for another reason names it among its problems.
  if (summary.outcome === "insufficient_data" && !summary.problems.length) {
    const advice = "The window holds too few distinct predictions for a verdict. Run again with a longer window.";
    return empty("Too few predictions for a verdict", advice);
  }
  return null;
}

function runCard(summary, rows) {
  const problems = summary.problems.map((problem) => h("li", {}, problem));
  return card(
    "Run",
    {},
    facts([
      ["Version", summary.version ? h("a", { href: `#/models/${summary.version}` }, summary.version) : "none"],
      ["Rows", count(rows)],
      ["Reference rows", count(summary.reference_rows)],
      ["Sample", percent(summary.rows.sample_share, 0)],
      ["Rows that count as one", summary.rows.design_effect > 1 ? fixed(summary.rows.design_effect) : null],
      ["Left out", leftOut(summary.rows)],
      ["Computed (UTC)", moment(summary.computed_at)],
      ["Started", summary.scheduled ? "by the schedule" : "on demand"],
      ["Mail", words(summary.mail).toLowerCase()],
    ]),
    problems.length ? h("ul", { class: "problems" }, problems) : null,
    explanation(summary),
  );
}

function titleRow(summary) {
  const others = summary.findings.filter((name) => name !== summary.outcome);
  const estimated =
    summary.findings.includes("performance_drop") &&
    !summary.performance?.has_enough_labels &&
    !summary.drawn?.has_enough_labels;
  const note = "performance: estimated, for lack of labels";
  return h(
    "div",
    { class: "title-row" },
    h("h1", {}, span(summary.start, summary.end)),
    badge(summary.outcome),
    others.map(badge),
    estimated ? h("span", { class: "note" }, note) : null,
  );
}

export async function run({ signal, parameter }) {
  const path = `monitoring/runs/${encodeURIComponent(parameter)}`;
  const { summary, rows, links, history, importance } = await call(path, { signal });
  const compared = rowsOf(summary, history, importance);
  const weighted = Object.keys(importance).length > 0;
  const sorted = sortRows(compared, weighted ? "weighted" : "effect");
  return {
    title: "Drift run",
    content: h(
      "div",
      { class: "stack" },
      h("p", { class: "crumbs" }, h("a", { href: "#/drift" }, "Drift"), " / run"),
      titleRow(summary),
      runCard(summary, rows),
      Object.keys(links).length ? card("Reports", {}, reports(links)) : null,
      findingsCard(summary),
      columnsCard(compared, weighted),
      distributionsCard(sorted.map(({ column }) => column)),
      performanceCard(summary),
      fairnessCard(summary),
      segmentsCard(summary),
    ),
  };
}
