// @ts-check
// Models: the ledger with its reasons, model cards, two versions side by side, and how to roll back.

import { call, hasLogin } from "./api.js";
import { shareBars, unitCurve } from "./charts.js";
import { amount, count, fixed, moment, percent, words } from "./format.js";
import {
  GROUP_FIGURES,
  METRICS,
  card,
  command,
  disclosed,
  empty,
  facts,
  figure,
  h,
  interval,
  later,
  metricFigures,
  metricList,
  report as reportFailure,
  table,
} from "./parts.js";

/** How somebody who signed in changes what serves; others use the command line. */
const changes = hasLogin ? await import("./changes.js") : null;

const LOWER_IS_BETTER = ["brier", "log_loss", "calibration_error", "relative_calibration_error"];

const versionLink = (name) => h("a", { href: `#/models/${name}` }, name);

const reasonList = (reasons) =>
  h(
    "ul",
    { class: "reasons" },
    reasons.map((reason) => h("li", {}, reason)),
  );

function actionBadge({ action }) {
  const outcome = action === "rollback" ? "data_drift" : "stable"; // the colours, not the meaning
  return h("span", { class: "badge", "data-outcome": outcome }, words(action));
}

function ledgerTable(found) {
  const serving = h("span", { class: "tag" }, "serving");
  const isServing = (entry) => entry.seq === found.champion?.seq;
  const columns = [
    { title: "#", cell: (entry) => String(entry.seq) },
    { title: "When (UTC)", cell: (entry) => moment(entry.promoted_at) },
    { title: "Action", cell: actionBadge },
    { title: "Who", cell: (entry) => h("span", { title: entry.actor }, entry.actor.split(":").pop()) },
    { title: "Version", cell: (entry) => [versionLink(entry.version), isServing(entry) ? serving : null] },
    {
      title: "Previous version",
      cell: (entry) => (entry.previous_version ? versionLink(entry.previous_version) : "–"),
    },
    { title: "Why", prose: true, cell: (entry) => reasonList(entry.reasons) },
  ];
  return table("Promotions and rollbacks", columns, found.ledger);
}

const withInterval = (found) => (found ? [fixed(found.value, 4), " ", interval(found)] : "–");

function difference({ a, b }) {
  if (!a || !b) return "–";
  return `${b.value >= a.value ? "+" : "−"}${Math.abs(b.value - a.value).toFixed(4)}`;
}

/** Whether the second figure is better: like the gate, only where chance does not explain it. */
function direction({ name, a, b }) {
  if (![a?.low, a?.high, b?.low, b?.high].every(Number.isFinite)) return "";
  if (b.low <= a.high && a.low <= b.high) return h("span", { class: "note" }, "no proven difference");
  return b.value > a.value !== LOWER_IS_BETTER.includes(name) ? "better" : "worse";
}

/** What the gate said when it compared these two on the same rows; nothing where it never did. */
function gateVerdict(left, right) {
  const judged = [right, left].find((found) => {
    const other = found === right ? left : right;
    return found.verdict?.champion_version === other.version;
  });
  if (!judged) return [];
  const text = `The gate compared ${judged.version} with the other when that was the champion:`;
  return [h("p", { class: "more" }, text), reasonList(judged.verdict.reasons)];
}

/** Names of versions, the oldest first: each begins with the registry's number. */
const byAge = (names) => names.sort((one, other) => Number.parseInt(one) - Number.parseInt(other));

/** The test metrics of two model cards, of which the first is older. */
function comparison(left, right) {
  const rows = METRICS.map(([name, title]) => ({ name, title, a: figure(left, name), b: figure(right, name) }));
  const columns = [
    { title: "Metric", cell: (row) => row.title },
    { title: left.version, number: true, cell: (row) => withInterval(row.a) },
    { title: right.version, number: true, cell: (row) => withInterval(row.b) },
    { title: "Change", number: true, cell: difference },
    { title: "", cell: direction },
  ];
  const note =
    left.dataset_id === right.dataset_id
      ? "Both were tested on the same data set."
      : "They were tested on different data sets, so the figures are not strictly comparable.";
  const rule = "Better or worse: only where the 95 % intervals don't overlap.";
  const known = rows.filter(({ a, b }) => a || b);
  return [
    table("Test metrics of two versions", columns, known),
    h("p", { class: "note more" }, `${rule} ${note}`),
    ...gateVerdict(left, right),
  ];
}

function compareCard(found, signal) {
  const { versions, champion } = found;
  if (versions.length < 2) {
    const advice = "Train again to have something to compare.";
    const content = empty("Only one version so far", advice, command(found.train_command));
    return card("Compare two versions", {}, content);
  }
  const select = (id, chosen) => {
    const options = versions.map((name) => h("option", { value: name, selected: name === chosen }, name));
    return h("select", { id }, options);
  };
  const serving = champion?.version ?? versions[0];
  const other = champion?.previous?.version ?? versions.find((name) => name !== serving);
  const [older, newer] = byAge([other, serving]);
  const choices = [select("left", older), select("right", newer)];
  const place = h("div", { class: "body" });
  const load = () =>
    later(place, "two cards", signal, async (ended) => {
      const names = byAge(choices.map(({ value }) => value));
      const cards = names.map((name) => call(`models/${name}`, { signal: ended }));
      const [left, right] = await Promise.all(cards);
      return comparison(left, right);
    });
  const draw = () => load().catch(reportFailure);
  choices.forEach((choice) => choice.addEventListener("change", draw));
  draw();
  const form = h(
    "div",
    { class: "inline-form" },
    h("label", { for: "left" }, "Version"),
    choices[0],
    h("label", { for: "right" }, "with"),
    choices[1],
  );
  return card("Compare two versions", {}, form, place);
}

function rollbackCard(found, signal) {
  if (!found.champion) return null;
  const previous = found.champion.previous?.version;
  const other = previous ?? found.versions.find((name) => name !== found.champion.version);
  const back = previous
    ? [
        h(
          "p",
          {},
          "Go back to the previous champion, ",
          versionLink(previous),
          ". The registry follows; predictions change within a minute.",
        ),
        changes ? changes.rollBack(previous, signal) : command(found.rollback_command),
      ]
    : h("p", { class: "note" }, "The first champion is serving, so there is no earlier one to go back to.");
  const elsewhere = other
    ? [h("p", { class: "note" }, "To any other version:"), command(`${found.rollback_command} ${other}`)]
    : null;
  return card("Roll back", {}, back, elsewhere);
}

function ledgerCard(found) {
  const promoted = new Set(found.ledger.map((entry) => entry.version));
  const others = found.versions.filter((name) => !promoted.has(name));
  const links = others.map((name, i) => [i ? ", " : "", versionLink(name)]);
  const advice = "No version has passed the gate. Their model cards say how they scored.";
  return card(
    "Ledger",
    {
      aside: h("span", { class: "note" }, amount(found.entries_total, "entry", "entries")),
    },
    found.ledger.length ? ledgerTable(found) : empty("Nothing has been promoted yet", advice),
    links.length ? h("p", { class: "note more" }, "Never promoted: ", links) : null,
  );
}

/** A model that passed the gate and waits for an operator. */
export function waitingCard({ version, expires_at: until, approve_command: approve }, signal) {
  const text = [versionLink(version), ` passed the gate and waits for an approval until ${moment(until)} UTC.`];
  return card("Waits for approval", {}, h("p", {}, text), changes ? changes.answer(version, signal) : command(approve));
}

export async function models({ signal }) {
  const found = await call("models", { signal });
  const title = h("h1", {}, "Models");
  if (!found.versions.length && !found.ledger.length) {
    const advice = "Upload data, then train. Every promotion and rollback is recorded here with its reasons.";
    const content = card("Ledger", {}, empty("No model yet", advice, command(found.train_command)));
    return { title: "Models", content: h("div", { class: "stack" }, title, content) };
  }
  return {
    title: "Models",
    content: h(
      "div",
      { class: "stack" },
      title,
      ...found.waiting.map((waiting) => waitingCard(waiting, signal)),
      ledgerCard(found),
      compareCard(found, signal),
      rollbackCard(found, signal),
    ),
  };
}

const segmentColumns = [
  { title: "Segment", prose: true, cell: (entry) => h("span", { class: "column-name" }, entry.segment) },
  { title: "Rows", number: true, cell: (entry) => disclosed(entry.rows) },
  { title: "Positives", number: true, cell: (entry) => disclosed(entry.positives) },
  ...GROUP_FIGURES.map(([name, title]) => ({
    title,
    number: true,
    cell: (entry) => {
      const [low, high] = entry[`${name}_interval`] ?? [];
      return [fixed(entry[name]), " ", interval({ low, high })];
    },
  })),
];

const figurePart = (caption, ...content) => h("figure", {}, h("figcaption", {}, caption), content);

const pointColumns = (across, up) => [
  { title: across, number: true, cell: ([x]) => fixed(x) },
  { title: up, number: true, cell: ([, y]) => fixed(y) },
];

const pointTable = (name, across, up, points) =>
  h("details", {}, h("summary", {}, "As a table"), table(name, pointColumns(across, up), points));

/** ROC, calibration and importance, drawn from the card's own numbers. */
function curvesCard({ curves, metrics }) {
  if (!curves) return null;
  const { roc, calibration, importance } = curves;
  const total = Object.values(importance).reduce((sum, value) => sum + value, 0);
  const shares = Object.entries(importance).map(([name, value]) => [name, value / total]);
  const area = Number.isFinite(metrics.roc_auc) ? `, area ${fixed(metrics.roc_auc)}` : "";
  const few = empty("Too few rows", "A point would describe fewer than eleven people of one outcome.");
  const rocPart = roc.length
    ? [
        unitCurve({ points: roc, label: `ROC curve${area}.`, x: "False positive rate", y: "Recall" }),
        pointTable("ROC curve", "False positive rate", "Recall", roc),
      ]
    : few;
  const names = ["Mean probability", "Share of positives"];
  const calibrationPart = calibration.length
    ? [
        unitCurve({
          points: calibration,
          label: `Calibration in ${calibration.length} groups of equal size.`,
          x: names[0],
          y: names[1],
          dots: true,
        }),
        pointTable("Calibration", names[0], names[1], calibration),
      ]
    : few;
  const importancePart = total > 0 ? shareBars(/** @type {[string, number][]} */ (shares)) : few;
  return card(
    "Curves",
    {},
    h(
      "div",
      { class: "multiples" },
      figurePart(`Recall by false positive rate${area}`, rocPart),
      figurePart("Calibration; the dotted line is perfect", calibrationPart),
      figurePart("What the answers rest on, by mean absolute SHAP", importancePart),
    ),
  );
}

const identifier = (value) => value && h("code", {}, String(value).slice(0, 16));

function modelFacts(found) {
  const sides = Object.entries(found.rows ?? {}).map(([side, rows]) => `${side} ${count(rows)}`);
  return facts([
    ["Target", found.target],
    ["Threshold", fixed(found.threshold)],
    ["Trees", found.trees && count(found.trees)],
    ["Registered (UTC)", found.registered_at && moment(found.registered_at)],
    ["Prevalence", found.prevalence && percent(found.prevalence)],
    ["Rows", sides.length ? sides.join(", ") : null],
    ["Reference rows", found.reference_rows && count(found.reference_rows)],
    ["Data set", identifier(found.dataset_id)],
    ["Contract", identifier(found.contract_version)],
    ["MLflow run", found.mlflow_run_id && h("code", {}, found.mlflow_run_id)],
  ]);
}

function parametersCard(params) {
  const text = (value) => (typeof value === "number" && !Number.isInteger(value) ? fixed(value, 4) : String(value));
  const pairs = Object.entries(params).map(([name, value]) => [name, text(value)]);
  return pairs.length ? card("Parameters", {}, facts(pairs)) : null;
}

export async function model({ signal, parameter }) {
  const found = await call(`models/${encodeURIComponent(parameter)}`, { signal });
  const segments = found.segments ?? [];
  const reasons = found.verdict?.reasons ?? [];
  return {
    title: found.version,
    content: h(
      "div",
      { class: "stack" },
      h("p", { class: "crumbs" }, h("a", { href: "#/models" }, "Models"), " / card"),
      h("h1", {}, found.version),
      card("On the test rows", {}, metricList(metricFigures(found), { wide: true })),
      reasons.length ? card("Verdict", {}, reasonList(reasons)) : null,
      curvesCard(found),
      card("Model", {}, modelFacts(found)),
      parametersCard(found.params ?? {}),
      segments.length ? card("Segments", {}, table("Segments", segmentColumns, segments)) : null,
    ),
  };
}
