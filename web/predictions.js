// @ts-check
// Predictions: a form that scores one row, and the latest records of the log.

import { call, hasLogin, REFUSED } from "./api.js";
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

/** What somebody who signed in may do here; others send labels with the API key. */
const changes = hasLogin ? await import("./changes.js") : null;
const signIn = hasLogin ? await import("./sign-in.js") : null;

const MISSING = "";
const SCORING = hasLogin ? "people/predict" : "predict";

const hint = (id, ...parts) => h("span", { class: "hint", id: `${id}-hint` }, parts.filter(Boolean).join(" "));

/** A select for a category or a flag. */
function choice(id, name, schema, required, example) {
  const values = schema.enum.filter((value) => value !== null);
  const isFlag = values.every((value) => value === 0 || value === 1);
  const text = (value) => (isFlag ? (value ? "yes" : "no") : value);
  const options = values.map((value) =>
    h("option", { value: JSON.stringify(value), selected: value === example }, text(value)),
  );
  const unknown = required ? null : h("option", { value: MISSING }, "not known");
  const { description } = schema;
  const described = { "aria-describedby": description ? `${id}-hint` : null };
  return [h("select", { id, name, ...described }, unknown, options), description ? hint(id, description) : null];
}

const UNLIMITED = 3e38; // the contract gives the number no such limit

/** An input for a number, with its range as a hint. */
function numberInput(id, name, schema, required, example) {
  const min = schema.minimum < -UNLIMITED ? null : schema.minimum;
  const max = schema.maximum > UNLIMITED ? null : schema.maximum;
  const range = { step: "any", min, max, "aria-describedby": `${id}-hint` };
  const placeholder = required ? null : "not known";
  const typing = { type: "number", inputmode: "decimal", placeholder };
  const input = h("input", { id, name, ...typing, ...range, required, value: example });
  const ends = min === null && max === null ? "any number" : `${min ?? "any"} – ${max ?? "any"}`;
  const values = [ends, schema["x-unit"]].filter(Boolean).join(" ");
  return [input, hint(id, `${values}.`, schema.description)];
}

/** An input for a text, with its meaning as a hint; known values are offered. */
function textInput(id, name, schema, required, example) {
  const typing = { type: "text", maxlength: schema.maxLength, placeholder: required ? null : "not known" };
  const value = required ? example : null;
  const list = schema.examples ? `${id}-list` : null;
  const input = h("input", { id, name, ...typing, list, "aria-describedby": `${id}-hint`, required, value });
  const known = (schema.examples ?? []).map((text) => h("option", { value: text }));
  return [input, list ? h("datalist", { id: list }, known) : null, hint(id, schema.description)];
}

function inputFor(schema) {
  if (schema.enum) return choice;
  return [schema.type].flat().includes("string") ? textInput : numberInput;
}

function field(prefix, name, schema, required, example) {
  const id = `${prefix}-${name}`;
  const input = inputFor(schema)(id, name, schema, required, example);
  return h("div", { class: "field" }, h("label", { for: id }, schema.title ?? name), input);
}

/** A field for each property of an object's schema. */
function fieldsOf(prefix, schema, example) {
  const required = new Set(schema.required);
  return Object.entries(schema.properties).map(([name, of]) =>
    field(prefix, name, of, required.has(name), example?.[name]),
  );
}

function readValue(input) {
  if (input.value === MISSING) return null;
  if (input.tagName === "SELECT") return JSON.parse(input.value);
  return input.type === "number" ? Number(input.value) : input.value;
}

/** What the fields inside an element hold, by name. */
function readFields(place) {
  return Object.fromEntries([...place.querySelectorAll("[name]")].map((input) => [input.name, readValue(input)]));
}

/** The instance that the form holds: the features, and the context beside them if there is any. */
function readForm(features, context) {
  return { ...readFields(features), ...(context ? { context: readFields(context) } : {}) };
}

/** What people call a feature, by the API's own description. */
const titleOf = (properties, name) => properties[name]?.title ?? name;

function explanationPart(explanation, properties) {
  if (!explanation) return h("p", { class: "note" }, "This answer came without an explanation.");
  /** @type {[string, number][]} */
  const entries = Object.entries(explanation.contributions).map(([name, value]) => [titleOf(properties, name), value]);
  entries.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const note =
    `In log-odds. Knowing nothing, the model starts at ${fixed(explanation.expected, 2)}; ` +
    "bars to the right raise the probability.";
  return [h("h3", {}, "What spoke for and against"), contributions(entries), h("p", { class: "note" }, note)];
}

function answerView(answer, target, properties) {
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
    explanationPart(answer.explanation, properties),
  );
}

/** What the API answers: the name of its boolean field. */
const targetOf = ({ components }) =>
  Object.entries(components.schemas.Prediction.properties).find(([, of]) => of.type === "boolean")?.[0];

/** The form, made from the API's own description, and beside it the answer. */
async function scoring(signal) {
  const document = await call("openapi.json", { signal });
  const { Instance: instance } = document.components.schemas;
  const target = targetOf(document);
  const body = document.paths["/predict"]?.post?.requestBody?.content?.["application/json"];
  const example = body?.example ?? {};
  const { context: described, ...others } = instance.properties;
  const features = Object.fromEntries(Object.entries(others).filter(([, of]) => !of["x-ignored"]));
  const fields = h("div", { class: "fields" }, fieldsOf("f", { ...instance, properties: features }, example));
  const context = described
    ? h(
        "fieldset",
        { class: "fields" },
        h("legend", {}, "Logged, not scored"),
        fieldsOf("c", described, example.context),
      )
    : null;
  const note = "The form has typical values. The answer is logged with the source test, and counts nowhere.";
  const result = h("div", { class: "live-result", "aria-live": "polite" }, empty("Nothing scored yet", note));
  const button = h("button", { type: "submit" }, "Score");
  const form = h("form", { class: "stack" }, fields, context, h("div", { class: "field actions" }, button));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await call(`${SCORING}?explain=true&test=true`, {
        method: "POST",
        body: readForm(fields, context),
        signal,
      });
      result.replaceChildren(answerView(answer, target, instance.properties));
      result.querySelector(".headline")?.scrollIntoView({ block: "nearest" }); // the button may be far below
      say(`Probability ${percent(answer.probability)}`);
    } catch (/** @type {any} */ error) {
      if (signal.aborted) return;
      if (error.status === REFUSED) return reportFailure(error);
      result.replaceChildren(failure(error));
    } finally {
      button.disabled = false;
    }
  });
  return h("div", { class: "pair" }, form, result);
}

function answerBadge({ predicted }) {
  const outcome = predicted ? "data_drift" : "stable"; // the colours, not the meaning
  return h("span", { class: "badge", "data-outcome": outcome }, predicted ? "positive" : "negative");
}

/** The id, which leads to the prediction's own page whoever may open it. */
function idCell({ prediction_id: id }) {
  const text = h("code", {}, id);
  return signIn?.isIn("inspect") ? h("a", { href: `#/predictions/${id}` }, text) : text;
}

const columns = [
  { title: "Time (UTC)", cell: (p) => moment(p.predicted_at) },
  { title: "Probability", number: true, cell: (p) => fixed(p.probability) },
  { title: "Answer", cell: answerBadge },
  { title: "Threshold", number: true, cell: (p) => fixed(p.threshold) },
  { title: "Version", cell: (p) => h("code", {}, p.model_version) },
  { title: "Source", cell: (p) => p.source },
  { title: "Prediction id", cell: idCell },
];
const reference = { title: "Reference", cell: (p) => (p.reference ? h("code", {}, p.reference) : "–") };

/** The callers' own references have a column where there are any. */
function columnsFor(records) {
  return records.some((record) => record.reference) ? [...columns, reference] : columns;
}

function logRecords(found, filtered) {
  if (!found.predictions.length) {
    if (filtered) return empty("No prediction here", "Choose another day or version.");
    const advice = "None in the last seven days. Score one above, or send test rows:";
    return empty("No prediction here", advice, command(operator("simulate")));
  }
  const shown =
    found.predictions.length < found.limit
      ? `All ${count(found.predictions.length)} since ${found.from}.`
      : `The latest ${found.limit}; filter by day or version to see others.`;
  const records = table("Latest predictions", columnsFor(found.predictions), found.predictions);
  return [records, h("p", { class: "note more" }, shown)];
}

function log(signal) {
  const place = h("div", { class: "body" });
  const date = h("input", { id: "day", name: "day", type: "date" });
  const version = h("select", { id: "version", name: "version" }, h("option", { value: "" }, "all"));
  const load = () => {
    const filters = [
      ["day", date.value],
      ["version", version.value],
    ].filter(([, value]) => value);
    const path = `predictions?${new URLSearchParams(filters)}`;
    const read = async (ended) => logRecords(await call(path, { signal: ended }), filters.length > 0);
    return later(place, "the log", signal, read);
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
  // The versions to choose from may come late, or not at all: the log doesn't wait for them.
  call("models", { signal })
    .then(({ versions }) => version.append(...versions.map((name) => h("option", { value: name }, name))))
    .catch(() => {});
  const opens = signIn?.isIn("inspect") ? " An id opens the prediction, and each view is recorded." : "";
  const says = `Times, answers, versions and references only. Features and people are not shown.${opens}`;
  const note = h("p", { class: "note" }, says);
  return { content: card("Latest predictions", {}, note, form, place), busy: load() };
}

/** A card with the form for labels; nothing where nobody signs in. */
function labelCard(signal) {
  if (!changes) return { content: null, busy: null };
  const { labelForm } = changes;
  const place = h("div", { class: "body" });
  const busy = later(place, "the form for labels", signal, async (ended) => {
    const document = await call("openapi.json", { signal: ended });
    return labelForm(targetOf(document), signal);
  });
  const says = "What turned out to be true of one prediction, for those who may operate. Find its id below.";
  return { content: card("Label a prediction", {}, h("p", { class: "note" }, says), place), busy };
}

export async function predictions({ signal }) {
  const place = h("div", { class: "body" });
  const records = log(signal);
  const labels = labelCard(signal);
  const busy = later(place, "the form", signal, () => scoring(signal));
  return {
    title: "Predictions",
    busy: Promise.all([busy, records.busy, labels.busy]),
    content: h(
      "div",
      { class: "stack" },
      h("h1", {}, "Predictions"),
      card("Score one row", {}, place),
      labels.content,
      records.content,
    ),
  };
}
