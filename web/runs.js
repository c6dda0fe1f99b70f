// Drift: the list of runs, and run now.

import { Failure, call } from "./api.js";
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

const PAUSE = 1500;
const HICCUPS = 5; // so many questions in a row may fail before the run is given up
const LONGEST = 15 * 60 * 1000; // as long as the drift function may run

const pause = (signal) =>
  new Promise((done, stop) => {
    const timer = setTimeout(done, PAUSE);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        stop(signal.reason);
      },
      { once: true },
    );
  });

const refusedForGood = ({ status }) => status === 403 || status === 404;

async function follow(asked, signal) {
  const end = Date.now() + LONGEST;
  let record = asked;
  let failures = 0;
  while (["pending", "running"].includes(record.status)) {
    if (Date.now() > end)
      throw new Failure(
        0,
        "The run did not finish",
        "It was asked for 15 minutes ago. The drift function's log says why; then run it again.",
      );
    await pause(signal);
    try {
      record = await call(`monitoring/requests/${record.id}`, { signal });
      failures = 0;
    } catch (error) {
      if (signal.aborted || refusedForGood(error) || ++failures === HICCUPS) throw error;
    }
  }
  return record;
}

function runNow(signal) {
  const unit = h(
    "select",
    { id: "unit", name: "unit" },
    h("option", { value: "days" }, "days"),
    h("option", { value: "rows" }, "rows"),
  );
  const size = h("input", {
    id: "size",
    name: "size",
    type: "number",
    min: 1,
    max: 366,
    value: 1,
    required: true,
    inputmode: "numeric",
  });
  unit.addEventListener("change", () => {
    size.max = unit.value === "days" ? 366 : 1000000;
    size.value = unit.value === "days" ? 1 : 1000;
  });
  const button = h("button", { type: "submit" }, "Run now");
  const told = h("div", { class: "told", "aria-live": "polite" });
  const form = h(
    "form",
    { class: "inline-form" },
    h("label", { for: "size" }, "The last"),
    size,
    h("label", { class: "visually-hidden", for: "unit" }, "Days or rows"),
    unit,
    button,
  );
  // `ask` answers the request's record: a new one, or one that was asked for before.
  const watch = async (ask) => {
    button.disabled = true;
    told.replaceChildren(waiting("the run; it takes a few seconds"));
    try {
      const record = await follow(await ask(), signal);
      const again = () => watch(() => call(`monitoring/requests/${record.id}`, { signal }));
      if (record.status === "failed")
        told.replaceChildren(
          failure(
            {
              title: "The run failed",
              detail: `${record.problem ?? "The drift function's log says why."} It may be tried again by itself within a few minutes.`,
            },
            again,
            "Look again",
          ),
        );
      else show(record.run_ids);
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 403) return reportFailure(error);
      told.replaceChildren(failure(error));
    } finally {
      button.disabled = false;
    }
  };
  const show = (ids) => {
    say("The run is done");
    if (ids.length === 1) location.hash = `#/drift/${ids[0]}`;
    else
      told.replaceChildren(
        ids.length
          ? h(
              "p",
              {},
              "Done, one run per model version: ",
              ids.map((id, i) => [i ? ", " : "", h("a", { href: `#/drift/${id}` }, id.split("--")[2])]),
            )
          : empty("Nothing to compare", "The window holds no prediction. Choose a longer one."),
      );
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const n = Number(size.value);
    const end = new Date();
    const body =
      unit.value === "rows"
        ? { last_rows: n }
        : { start: new Date(end - n * 86400000).toISOString(), end: end.toISOString() };
    watch(() => call("monitoring/runs", { method: "POST", body, signal }));
  });
  return card(
    "Run now",
    {},
    h(
      "p",
      { class: "note" },
      "Compares a window of predictions with the reference sample of the model that made them. Sends no mail.",
    ),
    form,
    told,
  );
}

export async function runs({ signal }) {
  const first = await call("monitoring/runs", { signal });
  const shown = [...first.runs];
  let next = first.next;
  const list = h("div", {});
  const draw = () => {
    const more =
      next &&
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: async () => {
            more.disabled = true;
            try {
              const page = await call(`monitoring/runs?cursor=${encodeURIComponent(next)}`, { signal });
              shown.push(...page.runs);
              next = page.next;
              draw();
            } catch (error) {
              if (signal.aborted) return;
              if (error.status === 403) return reportFailure(error);
              more.disabled = false;
              list.querySelector(".failure")?.remove();
              list.append(failure(error));
            }
          },
        },
        "Older runs",
      );
    list.replaceChildren(
      ...(shown.length
        ? [
            table("Drift runs", runColumns, shown),
            h("p", { class: "more" }, h("span", { class: "note" }, `${count(shown.length)} shown`), more || null),
          ]
        : [
            empty(
              "No drift run yet",
              "Run one now above, or wait for the one on the schedule. It needs predictions: score some on the Predictions page, or send test rows:",
              command(operator("simulate")),
            ),
          ]),
    );
  };
  draw();
  return {
    title: "Drift",
    content: h("div", { class: "stack" }, h("h1", {}, "Drift"), runNow(signal), card("Runs", {}, list)),
  };
}
