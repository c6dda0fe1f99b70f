// Overview: what serves, what was asked of it, whether it drifts.

import { call } from "./api.js";
import { dailyBars, dailyShare, timeline } from "./charts.js";
import { h } from "./dom.js";
import { ago, count, day, fixed, moment, percent, span } from "./format.js";
import { badge, card, command, empty, facts, later, table } from "./parts.js";

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
  Number.isFinite(found?.low) && Number.isFinite(found?.high) ? h("span", { class: "interval" }, `${fixed(found.low)} – ${fixed(found.high)}`) : null;

function champion(data) {
  const { champion: pointer, card: model } = data;
  if (!pointer) {
    return card("Champion", { class: "span-4" }, empty("No model serves yet", "Upload data and train; the first model that passes the gate becomes the champion.", command("python -m ops train")));
  }
  const shown = METRICS.slice(0, 4).map(([name, title]) => [title, figure(model, name)]).filter(([, found]) => found);
  return card(
    "Champion",
    { class: "span-4", aside: h("a", { href: `#/models/${pointer.version}` }, "Card") },
    h("p", { class: "headline" }, pointer.version, h("small", {}, `${pointer.action === "rollback" ? "rolled back" : "promoted"} ${ago(pointer.promoted_at)}`)),
    shown.length ? h("dl", { class: "figures" }, shown.map(([title, found]) => h("div", {}, h("dt", {}, title), h("dd", {}, fixed(found.value), interval(found))))) : h("p", { class: "note" }, "This version has no model card."),
    facts([["Promoted", `${moment(pointer.promoted_at)} UTC`], ["Threshold", model ? fixed(model.threshold) : null], ["Before it", pointer.previous?.version ?? "none"]]),
  );
}

function incident(data) {
  const open = data.incident;
  if (!open) {
    const told = data.runs_total ? "No open incident. A scheduled run that finds drift opens one and sends a mail." : "No open incident, and no drift run yet that could open one.";
    return h("div", { class: "strip", "data-state": "calm" }, h("strong", {}, "All quiet"), h("span", {}, told));
  }
  return h("div", { class: "strip", "data-state": "alarm" }, h("strong", {}, "Open incident"), badge(open.outcome), h("span", {}, `since ${day(open.opened_at - 1)}${open.drifted.length ? `: ${open.drifted.join(", ")}` : ""}`), data.latest.length ? h("a", { href: `#/drift/${data.latest[0].run_id}` }, "Latest run") : null);
}

function drift(data) {
  if (!data.runs_total) {
    return card("Drift timeline", { class: "span-12" }, empty("No drift run yet", "A run compares a window of predictions with the champion's own reference sample. It runs every day at 14:00 UTC, or now.", h("p", {}, h("a", { class: "button", href: "#/drift" }, "Run now"))));
  }
  return card("Drift timeline", { class: "span-12", aside: h("span", { class: "note" }, `${count(data.runs_total)} runs`) }, timeline(data.timeline));
}

export const runColumns = [
  { title: "Window (UTC)", cell: (run) => h("a", { href: `#/drift/${run.run_id}` }, span(run.start, run.end)) },
  { title: "Outcome", cell: (run) => badge(run.outcome) },
  { title: "Drifted", cell: (run) => run.drifted.join(", ") || "–" },
  { title: "Rows", number: true, cell: (run) => count(run.rows) },
  { title: "Version", cell: (run) => h("code", {}, run.version ?? "–") },
];

function traffic(days) {
  const total = days.reduce((sum, d) => sum + d.predictions, 0);
  const positives = days.reduce((sum, d) => sum + d.positives, 0);
  if (!total) return empty("No prediction in the last 30 days", "Score a patient on the Predictions page, or send test rows:", command("python -m ops simulate"));
  const today = days.at(-1);
  const rows = days.filter((d) => d.predictions).reverse();
  return [
    h("div", { class: "pair" },
      h("figure", {}, h("figcaption", {}, h("strong", {}, count(total)), ` predictions in 30 days, ${count(today.predictions)} today`), dailyBars(days)),
      h("figure", {}, h("figcaption", {}, h("strong", {}, percent(positives / total)), " of them positive"), dailyShare(days))),
    h("details", {}, h("summary", {}, "As a table"),
      table("Predictions per day", [
        { title: "Day", cell: (d) => d.day },
        { title: "Predictions", number: true, cell: (d) => count(d.predictions) },
        { title: "Positive", number: true, cell: (d) => count(d.positives) },
        { title: "Share", number: true, cell: (d) => percent(d.positives / d.predictions) },
      ], rows)),
  ];
}

export async function overview({ signal }) {
  const data = await call("monitoring/overview", { signal });
  const place = h("div", { class: "body" });
  const busy = later(place, "predictions per day", signal, async () => traffic((await call("monitoring/traffic", { signal })).days));
  return {
    title: "Overview",
    busy,
    content: h("div", { class: "grid-12" },
      h("h1", { class: "visually-hidden" }, "Overview"),
      h("div", { class: "span-12" }, incident(data)),
      champion(data),
      card("Predictions", { class: "span-8" }, place),
      drift(data),
      data.latest.length ? card("Latest runs", { class: "span-12", aside: h("a", { href: "#/drift" }, "All runs") }, table("Latest drift runs", runColumns, data.latest)) : null),
  };
}
