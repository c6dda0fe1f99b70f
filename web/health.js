// @ts-check
// Health: whether the monitor itself works, by its schedules and by what its runs depend on.

import { call } from "./api.js";
import { dueTimes } from "./charts.js";
import { ago, moment, words } from "./format.js";
import { badge, card, command, facts, h, table } from "./parts.js";

const DAY_MS = 86400000;
const RANGES = [14, 30, 90];

/** What states are called, and the outcome whose colours they have. @type {Record<string, [string, string]>} */
const STATES = {
  on_time: ["● On time", "stable"],
  overdue: ["◆ Overdue", "performance_drop"],
  waiting: ["○ Not due yet", "no_data"],
  unscheduled: ["○ No schedule", "no_data"],
  unknown: ["○ Unknown", "no_data"],
  good: ["● Good", "stable"],
  warning: ["▲ Look at it", "data_drift"],
  problem: ["◆ Problem", "performance_drop"],
  none: ["○ Nothing yet", "no_data"],
};
const GRAVITY = ["problem", "warning", "good", "none"];

function stateBadge(state) {
  const [text, colours] = STATES[state];
  const [mark, ...rest] = text.split(" ");
  return h(
    "span",
    { class: "badge", "data-outcome": colours },
    h("span", { "aria-hidden": "true" }, mark),
    ` ${rest.join(" ")}`,
  );
}

const runLink = (runId, text) => h("a", { href: `#/drift/${runId}` }, text);

const dueColumns = [
  { title: "Due (UTC)", cell: (d) => moment(d.due_at) },
  {
    title: "Run",
    cell: (d) =>
      d.run_id ? [badge(d.outcome), " ", runLink(d.run_id, "open")] : d.state === "missed" ? "missing" : "not yet",
  },
];

function lastRun({ last_run_id: runId, last_result: result, last_at: at }) {
  if (at === null) return "never";
  return [ago(at), " ", runId ? runLink(runId, words(result).toLowerCase()) : words(result).toLowerCase()];
}

function dueHistory(job, days) {
  if (!job.due.length) return null;
  const start = Date.now() - days * DAY_MS;
  const due = job.due.filter((each) => each.due_at > start);
  if (!due.length) return h("p", { class: "note" }, "Nothing was due in this time.");
  const rows = h(
    "details",
    {},
    h("summary", {}, "As a table"),
    table(`${job.name}: due`, dueColumns, due.toReversed()),
  );
  return [dueTimes(due, job.name), rows];
}

function jobCard(job, days) {
  return card(
    job.name,
    { class: "span-4", aside: stateBadge(job.state) },
    h("p", {}, job.says),
    facts([
      ["Last ran", lastRun(job)],
      ["Next due (UTC)", job.next_at === null ? null : moment(job.next_at)],
      ["Schedule", job.schedule ? h("code", {}, job.schedule) : null],
    ]),
    job.command ? command(job.command) : null,
    dueHistory(job, days),
  );
}

const checkItem = (check) =>
  h(
    "li",
    {},
    h("span", { class: "column-name" }, check.name),
    h("span", {}, stateBadge(check.state)),
    h("div", { class: "says" }, check.says, check.command ? command(check.command) : null),
    h("span", { class: "note" }, check.at === null ? "" : `${moment(check.at)} UTC`),
  );

function summary({ jobs, checks }) {
  const wrong = [
    ...jobs.filter((job) => job.state === "overdue"),
    ...checks.filter((check) => ["problem", "warning"].includes(check.state)),
  ].map(({ name }) => name);
  const [state, title, text] = wrong.length
    ? ["alarm", "Look at the monitor", `${wrong.join(", ")}.`]
    : ["calm", "The monitor works", "No run is overdue, and nothing waits to be sent."];
  return h("div", { class: "strip", "data-state": state }, h("strong", {}, title), h("span", {}, text));
}

export async function health({ signal }) {
  const found = await call("monitoring/health", { signal });
  const range = h(
    "select",
    { id: "range", name: "range" },
    RANGES.map((n) => h("option", { value: n, selected: n === 30 }, `${n} days`)),
  );
  const place = h("div", { class: "grid-12" });
  const draw = () => place.replaceChildren(...found.jobs.map((job) => jobCard(job, Number(range.value))));
  range.addEventListener("change", draw);
  draw();
  const checks = [...found.checks].sort((a, b) => GRAVITY.indexOf(a.state) - GRAVITY.indexOf(b.state));
  return {
    title: "Health",
    content: h(
      "div",
      { class: "stack" },
      h("h1", {}, "Health of the monitor"),
      summary(found),
      h("div", { class: "inline-form" }, h("label", { for: "range" }, "Runs due in the last"), range),
      place,
      card("What runs and mails depend on", {}, h("ul", { class: "checks" }, checks.map(checkItem))),
    ),
  };
}
