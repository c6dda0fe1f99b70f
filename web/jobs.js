// @ts-check
// Jobs: trainings, scorings and other executions with their verdicts, and models that wait.

import { call } from "./api.js";
import { count, moment } from "./format.js";
import { waitingCard } from "./models.js";
import { card, command, empty, h, operator, table } from "./parts.js";

const DAY_MS = 86400000;
const RANGES = [7, 30, 90];

/** What a job ended with: a word, and the colours of a badge. @returns {[string, string]} */
function verdictOf(job) {
  if (job.status === "RUNNING") return ["Running", "no_data"];
  if (job.status !== "SUCCEEDED") return [job.status === "ABORTED" ? "Stopped" : "Failed", "performance_drop"];
  if (job.promoted === true) return ["Promoted", "stable"];
  if (job.promoted === false) return ["Kept out", "data_drift"];
  return ["Done", "stable"];
}

function lasted(job) {
  if (job.ended_at === null) return "–";
  const seconds = Math.round((job.ended_at - job.started_at) / 1000);
  return seconds < 120 ? `${seconds} s` : `${count(Math.round(seconds / 60))} min`;
}

const columns = [
  { title: "Started (UTC)", cell: (j) => moment(j.started_at) },
  { title: "Job", cell: (j) => h("span", { title: j.name }, j.kind) },
  {
    title: "Outcome",
    cell: (j) => {
      const [word, colour] = verdictOf(j);
      return h("span", { class: "badge", "data-outcome": colour }, word);
    },
  },
  { title: "Version", cell: (j) => (j.version ? h("a", { href: `#/models/${j.version}` }, j.version) : "–") },
  { title: "Took", number: true, cell: lasted },
  {
    title: "Who",
    cell: (j) => (j.started_by ? h("span", { title: j.started_by }, j.started_by.split(":").pop()) : "–"),
  },
  {
    title: "What it says",
    prose: true,
    cell: (j) =>
      j.sentences.length
        ? h(
            "ul",
            { class: "reasons" },
            j.sentences.map((sentence) => h("li", {}, sentence)),
          )
        : "–",
  },
];

const choose = (id, label, options) => {
  const select = h(
    "select",
    { id, name: id },
    options.map(([value, text]) => h("option", { value }, text)),
  );
  return { select, field: [h("label", { for: id }, label), select] };
};

function historyCard(found) {
  const kinds = [...new Set(found.executions.map((j) => j.kind))];
  const verdicts = [...new Set(found.executions.map((j) => verdictOf(j)[0]))];
  const range = choose("range", "The last", [["", "90 days"], ...RANGES.slice(0, -1).map((n) => [n, `${n} days`])]);
  const kind = choose("kind", "Job", [["", "all"], ...kinds.map((k) => [k, k])]);
  const verdict = choose("verdict", "Outcome", [["", "all"], ...verdicts.map((v) => [v, v])]);
  const place = h("div", { class: "body", "aria-live": "polite" });
  const draw = () => {
    const start = Date.now() - Number(range.select.value || RANGES.at(-1)) * DAY_MS;
    const shown = found.executions.filter(
      (j) =>
        j.started_at >= start &&
        (!kind.select.value || j.kind === kind.select.value) &&
        (!verdict.select.value || verdictOf(j)[0] === verdict.select.value),
    );
    const none = empty("No such job", "Choose a longer time, or another kind or outcome.");
    place.replaceChildren(shown.length ? table("Jobs", columns, shown) : none);
  };
  for (const { select } of [range, kind, verdict]) select.addEventListener("change", draw);
  draw();
  const form = h("div", { class: "inline-form" }, range.field, kind.field, verdict.field);
  const says = `The latest ${count(found.limit)} at most. AWS keeps an ended one for 90 days.`;
  return card("Trainings, scorings and what else ran", {}, form, h("p", { class: "note" }, says), place);
}

export async function jobs({ signal }) {
  const found = await call("executions", { signal });
  const advice = "Upload data, then train. Scorings, rollbacks, checks, erasures and compactions are listed here, too.";
  const history = found.executions.length
    ? historyCard(found)
    : card("Trainings and scorings", {}, empty("No job yet", advice, command(operator("train"))));
  return {
    title: "Jobs",
    content: h(
      "div",
      { class: "stack" },
      h("h1", {}, "Jobs"),
      found.waiting.map((waiting) => waitingCard(waiting, signal)),
      history,
    ),
  };
}
