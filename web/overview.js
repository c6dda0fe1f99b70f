// @ts-check
// Overview: the champion, its traffic, and whether it drifts.

import { call } from "./api.js";
import { positivesPerDay, predictionsPerDay, runTimeline } from "./charts.js";
import { ago, amount, count, day, fixed, moment, percent } from "./format.js";
import {
  badge,
  card,
  command,
  empty,
  facts,
  h,
  later,
  metricFigures,
  metricList,
  operator,
  runColumns,
  table,
} from "./parts.js";

function championCard({ champion: pointer, card: model }) {
  if (!pointer) {
    const advice = "Upload data and train. The first model that passes the gate becomes the champion.";
    const content = empty("No model serves yet", advice, command(operator("train")));
    return card("Champion", { class: "span-4" }, content);
  }
  const figures = metricFigures(model).slice(0, 4);
  const action = pointer.action === "rollback" ? "rolled back" : "promoted";
  return card(
    "Champion",
    { class: "span-4", aside: h("a", { href: `#/models/${pointer.version}` }, "Card") },
    h("p", { class: "headline" }, pointer.version, h("small", {}, `${action} ${ago(pointer.promoted_at)}`)),
    figures.length ? metricList(figures) : h("p", { class: "note" }, "This version has no model card."),
    facts([
      ["Serving since (UTC)", moment(pointer.promoted_at)],
      ["Threshold", model ? fixed(model.threshold) : null],
      ["Previous champion", pointer.previous?.version ?? "none"],
    ]),
  );
}

const strip = (state, title, ...content) =>
  h("div", { class: "strip", "data-state": state }, h("strong", {}, title), ...content);

/** Drifted columns, what the champion's answers rest on most first, with its share of them. */
function byImportance(drifted, model) {
  const entries = Object.entries(model?.curves?.importance ?? {});
  const total = entries.reduce((sum, [, value]) => sum + value, 0);
  const shares = new Map(entries.map(([name, value]) => [name.toLowerCase(), value / total]));
  const share = (name) => shares.get(name) ?? 0;
  return [...drifted]
    .sort((a, b) => share(b) - share(a))
    .map((name) => (shares.has(name) ? `${name} (${percent(share(name), 0)} of the model)` : name));
}

function incidentStrip(data) {
  if (data.problems.length) return strip("alarm", "Incident unknown", h("span", {}, data.problems.join(" ")));
  const open = data.incident;
  if (!open) {
    const text = data.runs_total
      ? "No open incident. A scheduled run that finds drift opens one and sends a mail."
      : "No open incident. No drift run has been made yet.";
    return strip("calm", "All quiet", h("span", {}, text));
  }
  const columns = open.drifted.length ? `: ${byImportance(open.drifted, data.card).join(", ")}` : "";
  const [latest] = data.latest;
  const known = data.acknowledgement;
  const opening = data.opened_by ? h("a", { href: `#/drift/${data.opened_by}` }, "The run that opened it") : null;
  return strip(
    "alarm",
    "Open incident",
    badge(open.outcome),
    h("span", {}, `since ${day(open.opened_at - 1)}${columns}${known ? `, acknowledged by ${known.actor}` : ""}`),
    h("a", { href: "#/incidents" }, known ? "The incident" : "Acknowledge"),
    opening,
    latest && latest.run_id !== data.opened_by ? h("a", { href: `#/drift/${latest.run_id}` }, "Latest run") : null,
  );
}

/** Scheduled runs that are missing: without them "All quiet" means nothing. */
const overdueStrip = ({ overdue }) =>
  overdue.length
    ? strip("alarm", "Overdue", h("span", {}, overdue.join(" ")), h("a", { href: "#/health" }, "Health of the monitor"))
    : null;

/** What the retrain guard did about the last drift, and why. */
function retrainingStrip({ retraining: decision }) {
  if (!decision) return null;
  const did = decision.execution
    ? "It started a training."
    : decision.suggestion
      ? "It suggests a training."
      : "It started nothing.";
  const [run] = decision.run_ids;
  return strip(
    "calm",
    "Retrain guard",
    h("span", {}, `${moment(decision.decided_at)} UTC: ${did} ${decision.reason}`),
    run ? h("a", { href: `#/drift/${run}` }, "The run it decided about") : null,
  );
}

function timelineCard(data) {
  if (!data.runs_total) {
    const text =
      "A run compares a window of predictions with the champion's own reference sample. " +
      "One runs on a schedule; you can also start one now.";
    const button = h("p", {}, h("a", { class: "button", href: "#/drift" }, "Run now"));
    return card("Drift timeline", { class: "span-12" }, empty("No drift run yet", text, button));
  }
  const aside = h("span", { class: "note" }, amount(data.runs_total, "run"));
  return card("Drift timeline", { class: "span-12", aside }, runTimeline(data.timeline));
}

const trafficColumns = [
  { title: "Day", cell: (d) => d.day },
  { title: "Predictions", number: true, cell: (d) => count(d.predictions) },
  { title: "Positive", number: true, cell: (d) => count(d.positives) },
  { title: "Share", number: true, cell: (d) => percent(d.positives / d.predictions) },
];

const chart = (caption, drawing) => h("figure", {}, h("figcaption", {}, caption), drawing);

function traffic(days) {
  const total = days.reduce((sum, d) => sum + d.predictions, 0);
  const positives = days.reduce((sum, d) => sum + d.positives, 0);
  if (!total) {
    const advice = "Score one row on the Predictions page, or send test rows:";
    return empty("No prediction in the last 30 days", advice, command(operator("simulate")));
  }
  const today = days.at(-1);
  const rows = days.filter((d) => d.predictions).reverse();
  const predictions = ` ${total === 1 ? "prediction" : "predictions"} in 30 days, ${count(today.predictions)} today`;
  return [
    h(
      "div",
      { class: "pair" },
      chart([h("strong", {}, count(total)), predictions], predictionsPerDay(days)),
      chart([h("strong", {}, percent(positives / total)), " of them positive"], positivesPerDay(days)),
    ),
    h("details", {}, h("summary", {}, "As a table"), table("Predictions per day", trafficColumns, rows)),
  ];
}

function latestRunsCard({ latest }) {
  if (!latest.length) return null;
  const aside = h("a", { href: "#/drift" }, "All runs");
  return card("Latest runs", { class: "span-12", aside }, table("Latest drift runs", runColumns, latest));
}

export async function overview({ signal }) {
  const data = await call("monitoring/overview", { signal });
  const place = h("div", { class: "body" });
  const busy = later(place, "predictions per day", signal, async (ended) => {
    const { days } = await call("monitoring/traffic", { signal: ended });
    return traffic(days);
  });
  return {
    title: "Overview",
    busy,
    content: h(
      "div",
      { class: "grid-12" },
      h("h1", { class: "visually-hidden" }, "Overview"),
      h("div", { class: "span-12 stack" }, incidentStrip(data), overdueStrip(data), retrainingStrip(data)),
      championCard(data),
      card("Predictions", { class: "span-8" }, place),
      timelineCard(data),
      latestRunsCard(data),
    ),
  };
}
