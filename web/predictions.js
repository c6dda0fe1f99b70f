// Predictions: score one row by a form made from the contract, and the latest records of the log.

import { call } from "./api.js";
import { contributions, gauge } from "./charts.js";
import { count, fixed, moment, percent } from "./format.js";
import {
  card,
  command,
  empty,
  facts,
  failure,
  h,
  later,
  operator,
  report as reportFailure,
  say,
  table,
} from "./parts.js";

const MISSING = "";

function field(name, schema, required, example) {
  const id = `f-${name}`;
  const nullable = !required;
  let input;
  if (schema.enum) {
    const values = schema.enum.filter((value) => value !== null);
    const flag = values.every((value) => value === 0 || value === 1);
    const options = values.map((value) =>
      h("option", { value: JSON.stringify(value), selected: value === example }, flag ? (value ? "yes" : "no") : value),
    );
    input = h("select", { id, name }, nullable ? h("option", { value: MISSING }, "not known") : null, options);
  } else {
    input = h("input", {
      id,
      name,
      type: "number",
      step: "any",
      min: schema.minimum,
      max: schema.maximum,
      required,
      value: example,
      placeholder: nullable ? "not known" : null,
      inputmode: "decimal",
    });
  }
  const hint = schema.enum
    ? null
    : h("span", { class: "hint", id: `${id}-hint` }, `${schema.minimum} – ${schema.maximum}`);
  if (hint) input.setAttribute("aria-describedby", hint.id);
  return h("div", { class: "field" }, h("label", { for: id }, name), input, hint);
}

function read(form) {
  const body = {};
  for (const input of form.querySelectorAll("[name]")) {
    body[input.name] =
      input.value === MISSING ? null : input.tagName === "SELECT" ? JSON.parse(input.value) : Number(input.value);
  }
  return body;
}

function answerView(answer, target) {
  const explained = answer.explanation?.contributions;
  const entries = explained ? Object.entries(explained).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])) : null;
  return h(
    "div",
    { class: "result" },
    h(
      "p",
      { class: "headline" },
      percent(answer.probability),
      h("small", {}, `${target}: ${answer[target] ? "yes" : "no"}`),
    ),
    gauge(answer.probability, answer.threshold),
    facts([
      ["Threshold", fixed(answer.threshold)],
      ["Version", answer.model_version],
      ["Prediction id", h("code", {}, answer.prediction_id)],
    ]),
    entries
      ? [
          h("h3", {}, "What spoke for and against"),
          contributions(entries),
          h(
            "p",
            { class: "note" },
            `In log-odds. Without knowing anything the model starts at ${fixed(answer.explanation.expected, 2)}; bars to the right raise the probability.`,
          ),
        ]
      : h("p", { class: "note" }, "This answer came without an explanation."),
  );
}

async function scoring(signal) {
  const document = await call("openapi.json", { signal });
  const { schemas } = document.components;
  const instance = schemas.Instance;
  const target = Object.keys(schemas.Prediction.properties).find(
    (name) => schemas.Prediction.properties[name].type === "boolean",
  );
  const example = document.paths["/predict"]?.post?.requestBody?.content?.["application/json"]?.example ?? {};
  const required = new Set(instance.required);
  const result = h(
    "div",
    { class: "told", "aria-live": "polite" },
    empty("Nothing scored yet", "Fill in the form. The answer is logged like any other prediction."),
  );
  const button = h("button", { type: "submit" }, "Score");
  const form = h(
    "form",
    { class: "fields" },
    Object.entries(instance.properties).map(([name, schema]) => field(name, schema, required.has(name), example[name])),
    h("div", { class: "field actions" }, button),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await call("predict?explain=true", { method: "POST", body: read(form), signal });
      result.replaceChildren(answerView(answer, target));
      say(`Probability ${percent(answer.probability)}`);
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 403) return reportFailure(error);
      result.replaceChildren(failure(error));
    } finally {
      button.disabled = false;
    }
  });
  return h("div", { class: "pair" }, form, result);
}

const columns = [
  { title: "Time (UTC)", cell: (p) => moment(p.predicted_at) },
  { title: "Probability", number: true, cell: (p) => fixed(p.probability) },
  {
    title: "Answer",
    cell: (p) =>
      h(
        "span",
        { class: "badge", "data-outcome": p.predicted ? "data_drift" : "stable" },
        p.predicted ? "positive" : "negative",
      ),
  },
  { title: "Threshold", number: true, cell: (p) => fixed(p.threshold) },
  { title: "Version", cell: (p) => h("code", {}, p.model_version) },
  { title: "Source", cell: (p) => p.source },
  { title: "Prediction id", cell: (p) => h("code", {}, p.prediction_id) },
];

function log(signal) {
  const place = h("div", { class: "body" });
  const date = h("input", { id: "day", name: "day", type: "date" });
  const version = h("select", { id: "version", name: "version" }, h("option", { value: "" }, "all"));
  const load = () => {
    const query = new URLSearchParams(
      [
        ["day", date.value],
        ["version", version.value],
      ].filter(([, value]) => value),
    );
    return later(place, "the log", signal, async (ended) => {
      const found = await call(`predictions?${query}`, { signal: ended });
      if (!found.predictions.length) {
        return date.value || version.value
          ? empty("No prediction here", "Choose another day or version.")
          : empty(
              "No prediction here",
              "None in the last seven days. Score one above, or send test rows:",
              command(operator("simulate")),
            );
      }
      const all = found.predictions.length < found.limit;
      return [
        table("Latest predictions", columns, found.predictions),
        h(
          "p",
          { class: "note more" },
          all
            ? `All ${count(found.predictions.length)} since ${found.from}.`
            : `The latest ${found.limit}; filter by day or version to see others.`,
        ),
      ];
    });
  };
  const form = h(
    "form",
    { class: "inline-form" },
    h("label", { for: "day" }, "Day"),
    date,
    h("label", { for: "version" }, "Version"),
    version,
    h("button", { type: "submit", class: "quiet" }, "Show"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    load().catch(reportFailure);
  });
  // The filter's choices may come late, or not at all: the log doesn't wait for them.
  call("models", { signal })
    .then(({ versions }) => version.append(...versions.map((v) => h("option", { value: v }, v))))
    .catch(() => {});
  return {
    content: card(
      "Latest predictions",
      {},
      h("p", { class: "note" }, "Times, answers and versions only; feature values stay in the log."),
      form,
      place,
    ),
    busy: load(),
  };
}

export async function predictions({ signal }) {
  const place = h("div", { class: "body" });
  const records = log(signal);
  const busy = later(place, "the form", signal, () => scoring(signal));
  return {
    title: "Predictions",
    busy: Promise.all([busy, records.busy]),
    content: h("div", { class: "stack" }, h("h1", {}, "Predictions"), card("Score one", {}, place), records.content),
  };
}
