// @ts-check
// Drift: the list of runs, and the form that starts one now.

import { call, Failure, REFUSED } from "./api.js";
import { count } from "./format.js";
import {
  card,
  command,
  empty,
  failure,
  h,
  operator,
  report as reportFailure,
  runColumns,
  say,
  table,
  waiting,
} from "./parts.js";

const POLL_MS = 1500;
const FAILED_POLLS = 5; // after so many failures in a row the page stops asking
const LONGEST_RUN_MS = 15 * 60 * 1000; // the drift function's own time limit
const DAY_MS = 86400000;

/** Wait until the next poll; rejects when the page is left. */
const nextPoll = (signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, POLL_MS);
    const cancel = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", cancel, { once: true });
  });

const isFinal = ({ status }) => [401, 403, 404].includes(status);

/** Poll the record of a requested run until the run is done or has failed. */
async function follow(requested, signal) {
  const deadline = Date.now() + LONGEST_RUN_MS;
  let record = requested;
  let failures = 0;
  while (["pending", "running"].includes(record.status)) {
    if (Date.now() > deadline) {
      const advice = "It was requested 15 minutes ago. Look into the drift function's log, then start another run.";
      throw new Failure(0, "The run did not finish", advice);
    }
    await nextPoll(signal);
    try {
      record = await call(`monitoring/requests/${record.id}`, { signal });
      failures = 0;
    } catch (/** @type {any} */ error) {
      if (signal.aborted || isFinal(error) || ++failures === FAILED_POLLS) throw error;
    }
  }
  return record;
}

/** What came of a finished run; with one run of its own, its page opens. */
function showResult(place, runIds) {
  say("The run is done");
  if (runIds.length === 1) {
    location.hash = `#/drift/${runIds[0]}`;
    return;
  }
  const links = runIds.map((id, i) => [i ? ", " : "", h("a", { href: `#/drift/${id}` }, id.split("--")[2])]);
  const result = runIds.length
    ? h("p", {}, "Done, one run per model version: ", links)
    : empty("Nothing to compare", "The window holds no prediction. Choose a longer one.");
  place.replaceChildren(result);
}

function failedRun(record, lookAgain) {
  const reason = record.problem ?? "The drift function's log says why.";
  const detail = `${reason} It may be tried again automatically within a few minutes.`;
  return failure({ title: "The run failed", detail }, lookAgain, "Look again");
}

/** The window that the form asks for, as the API takes it. */
function windowOf(unit, size) {
  if (unit === "rows") return { last_rows: size };
  const end = new Date();
  const start = new Date(end.getTime() - size * DAY_MS);
  return { start: start.toISOString(), end: end.toISOString() };
}

function runNow(signal) {
  const days = h("option", { value: "days" }, "days");
  const rows = h("option", { value: "rows" }, "rows");
  const unit = h("select", { id: "unit", name: "unit" }, days, rows);
  const limits = { type: "number", min: 1, max: 366, value: 1, required: true, inputmode: "numeric" };
  const size = h("input", { id: "size", name: "size", ...limits });
  unit.addEventListener("change", () => {
    size.max = unit.value === "days" ? "366" : "1000000";
    size.value = unit.value === "days" ? "1" : "1000";
  });
  const button = h("button", { type: "submit" }, "Run now");
  const place = h("div", { class: "live-result", "aria-live": "polite" });
  const form = h(
    "form",
    { class: "inline-form" },
    h("label", { for: "size" }, "The last"),
    size,
    h("label", { class: "visually-hidden", for: "unit" }, "Days or rows"),
    unit,
    button,
  );
  // `ask` returns the record of a request: of a new one, or of an earlier one.
  const watch = async (ask) => {
    button.disabled = true;
    place.replaceChildren(waiting("the run; it takes a few seconds"));
    try {
      const record = await follow(await ask(), signal);
      const lookAgain = () => watch(() => call(`monitoring/requests/${record.id}`, { signal }));
      if (record.status === "failed") place.replaceChildren(failedRun(record, lookAgain));
      else showResult(place, record.run_ids);
    } catch (/** @type {any} */ error) {
      if (signal.aborted) return;
      if (error.status === REFUSED) return reportFailure(error);
      place.replaceChildren(failure(error));
    } finally {
      button.disabled = false;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = windowOf(unit.value, Number(size.value));
    watch(() => call("monitoring/runs", { method: "POST", body, signal }));
  });
  const text = "Compares a window of predictions with the reference sample of the model that made them. Sends no mail.";
  return card("Run now", {}, h("p", { class: "note" }, text), form, place);
}

/** The table of runs, with a button that adds the next page of older ones. */
function runList(first, signal) {
  const runs = [...first.runs];
  let next = first.next;
  const list = h("div", {});
  const addOlder = async (button) => {
    button.disabled = true;
    try {
      const page = await call(`monitoring/runs?cursor=${encodeURIComponent(next)}`, { signal });
      runs.push(...page.runs);
      next = page.next;
      draw();
    } catch (/** @type {any} */ error) {
      if (signal.aborted) return;
      if (error.status === REFUSED) return reportFailure(error);
      button.disabled = false;
      list.querySelector(".failure")?.remove();
      list.append(failure(error));
    }
  };
  const draw = () => {
    const click = (event) => addOlder(event.currentTarget);
    const older = next ? h("button", { type: "button", class: "quiet", onclick: click }, "Older runs") : null;
    const shown = h("span", { class: "note" }, `${count(runs.length)} shown`);
    list.replaceChildren(table("Drift runs", runColumns, runs), h("p", { class: "more" }, shown, older));
  };
  if (runs.length) {
    draw();
    return list;
  }
  const advice =
    "Start one above, or wait for the scheduled one. A run needs predictions: " +
    "score some on the Predictions page, or send test rows:";
  return empty("No drift run yet", advice, command(operator("simulate")));
}

export async function runs({ signal }) {
  const first = await call("monitoring/runs", { signal });
  const list = card("Runs", {}, runList(first, signal));
  return { title: "Drift", content: h("div", { class: "stack" }, h("h1", {}, "Drift"), runNow(signal), list) };
}
