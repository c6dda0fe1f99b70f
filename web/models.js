// Models: the ledger with its reasons, cards, two versions side by side, the way back.

import { call } from "./api.js";
import { count, fixed, moment, percent, words } from "./format.js";
import {
  METRICS,
  card,
  command,
  empty,
  facts,
  figure,
  h,
  interval,
  later,
  report as reportFailure,
  table,
} from "./parts.js";

const version = (name) => h("a", { href: `#/models/${name}` }, name);

const ledgerColumns = (serving) => [
  { title: "#", cell: (entry) => String(entry.seq) },
  { title: "When (UTC)", cell: (entry) => moment(entry.promoted_at) },
  {
    title: "Action",
    cell: (entry) =>
      h(
        "span",
        { class: "badge", "data-outcome": entry.action === "rollback" ? "data_drift" : "stable" },
        words(entry.action),
      ),
  },
  {
    title: "Version",
    cell: (entry) => [
      version(entry.version),
      entry.seq === serving?.seq ? h("span", { class: "tag" }, "serves") : null,
    ],
  },
  { title: "Before", cell: (entry) => (entry.previous_version ? version(entry.previous_version) : "–") },
  {
    title: "Why",
    cell: (entry) =>
      h(
        "ul",
        { class: "reasons" },
        entry.reasons.map((reason) => h("li", {}, reason)),
      ),
  },
];

function comparison(left, right) {
  const rows = METRICS.map(([name, title]) => ({
    title,
    a: figure(left, name),
    b: figure(right, name),
    lower: ["brier", "log_loss", "calibration_error"].includes(name),
  })).filter(({ a, b }) => a || b);
  const show = (found) => (found ? [fixed(found.value, 4), " ", interval(found)] : "–");
  const sign = ({ a, b }) =>
    a && b ? `${b.value >= a.value ? "+" : "−"}${Math.abs(b.value - a.value).toFixed(4)}` : "–";
  const better = ({ a, b, lower }) =>
    a && b && a.value !== b.value ? (b.value > a.value !== lower ? "better" : "worse") : "";
  return [
    table(
      "Test figures of two versions",
      [
        { title: "Test figure", cell: (row) => row.title },
        { title: left.version, number: true, cell: (row) => show(row.a) },
        { title: right.version, number: true, cell: (row) => show(row.b) },
        { title: "Change", number: true, cell: sign },
        { title: "", cell: better },
      ],
      rows,
    ),
    left.dataset_id === right.dataset_id
      ? h("p", { class: "note more" }, "Both were tested on the same data set.")
      : h(
          "p",
          { class: "note more" },
          "They were tested on different data sets: the figures can't be compared strictly. The ledger's reasons compare on the same rows.",
        ),
  ];
}

function compare(found, signal) {
  const { versions, champion } = found;
  if (versions.length < 2)
    return card(
      "Compare two versions",
      {},
      empty("Only one version so far", "Train again to have something to compare.", command(found.train_command)),
    );
  const select = (id, chosen) =>
    h(
      "select",
      { id },
      versions.map((name) => h("option", { value: name, selected: name === chosen }, name)),
    );
  const before = champion?.previous?.version ?? versions.find((name) => name !== champion?.version);
  const [a, b] = [select("left", before), select("right", champion?.version ?? versions[0])];
  const place = h("div", { class: "body" });
  const load = () =>
    later(place, "two cards", signal, async (ended) =>
      comparison(...(await Promise.all([a, b].map(({ value }) => call(`models/${value}`, { signal: ended }))))),
    );
  [a, b].forEach((choice) => choice.addEventListener("change", () => load().catch(reportFailure)));
  load().catch(reportFailure);
  return card(
    "Compare two versions",
    {},
    h(
      "div",
      { class: "inline-form" },
      h("label", { for: "left" }, "Version"),
      a,
      h("label", { for: "right" }, "with"),
      b,
    ),
    place,
  );
}

function back(found) {
  const to = found.champion?.previous?.version;
  if (!found.champion) return null;
  const other = to ?? found.versions.find((name) => name !== found.champion.version);
  return card(
    "Roll back",
    {},
    to
      ? [
          h(
            "p",
            {},
            "Back to ",
            version(to),
            ", what served before. The registry follows; predictions change within a minute.",
          ),
          command(found.rollback_command),
        ]
      : h("p", { class: "note" }, "The first champion serves: there is nothing before it to go back to."),
    other ? [h("p", { class: "note" }, "To any other version:"), command(`${found.rollback_command} ${other}`)] : null,
  );
}

export async function models({ signal }) {
  const found = await call("models", { signal });
  if (!found.versions.length && !found.ledger.length) {
    return {
      title: "Models",
      content: h(
        "div",
        { class: "stack" },
        h("h1", {}, "Models"),
        card(
          "Ledger",
          {},
          empty(
            "No model yet",
            "Upload data, then train. Every promotion and rollback is entered here with its reasons.",
            command(found.train_command),
          ),
        ),
      ),
    };
  }
  const others = found.versions.filter((name) => !found.ledger.some((entry) => entry.version === name));
  return {
    title: "Models",
    content: h(
      "div",
      { class: "stack" },
      h("h1", {}, "Models"),
      card(
        "Ledger",
        { aside: h("span", { class: "note" }, `${count(found.entries_total)} entries`) },
        found.ledger.length
          ? table("Promotions and rollbacks", ledgerColumns(found.champion), found.ledger)
          : empty("Nothing was promoted yet", "No version has passed the gate; the cards say how they scored."),
        others.length
          ? h(
              "p",
              { class: "note more" },
              "Never promoted: ",
              others.map((name, i) => [i ? ", " : "", version(name)]),
            )
          : null,
      ),
      compare(found, signal),
      back(found),
    ),
  };
}

const segmentColumns = [
  { title: "Segment", cell: (entry) => h("span", { class: "column-name" }, entry.segment) },
  { title: "Rows", number: true, cell: (entry) => count(entry.rows) },
  { title: "Positives", number: true, cell: (entry) => count(entry.positives) },
  { title: "F1", number: true, cell: (entry) => fixed(entry.f1) },
  {
    title: "95 % interval",
    number: true,
    cell: (entry) => interval({ low: entry.f1_interval?.[0], high: entry.f1_interval?.[1] }) ?? "–",
  },
  { title: "Precision", number: true, cell: (entry) => fixed(entry.precision) },
  { title: "Recall", number: true, cell: (entry) => fixed(entry.recall) },
];

export async function model({ signal, parameter }) {
  const found = await call(`models/${encodeURIComponent(parameter)}`, { signal });
  const figures = METRICS.map(([name, title]) => [title, figure(found, name)]).filter(([, value]) => value);
  const segments = found.segments ?? [];
  const reasons = found.verdict?.reasons ?? [];
  const params = Object.entries(found.params ?? {});
  return {
    title: found.version,
    content: h(
      "div",
      { class: "stack" },
      h("p", { class: "crumbs" }, h("a", { href: "#/models" }, "Models"), " / card"),
      h("h1", {}, found.version),
      card(
        "On the test rows",
        {},
        h(
          "dl",
          { class: "figures wide" },
          figures.map(([title, value]) =>
            h("div", {}, h("dt", {}, title), h("dd", {}, fixed(value.value), interval(value))),
          ),
        ),
      ),
      reasons.length
        ? card(
            "Verdict",
            {},
            h(
              "ul",
              { class: "reasons" },
              reasons.map((reason) => h("li", {}, reason)),
            ),
          )
        : null,
      card(
        "Model",
        {},
        facts([
          ["Target", found.target],
          ["Threshold", fixed(found.threshold)],
          ["Trees", found.trees && count(found.trees)],
          ["Registered (UTC)", found.registered_at && moment(found.registered_at)],
          ["Prevalence", found.prevalence && percent(found.prevalence)],
          [
            "Rows",
            found.rows &&
              Object.entries(found.rows)
                .map(([side, n]) => `${side} ${count(n)}`)
                .join(", "),
          ],
          ["Reference rows", found.reference_rows && count(found.reference_rows)],
          ["Data set", found.dataset_id && h("code", {}, String(found.dataset_id).slice(0, 16))],
          ["Contract", found.contract_version && h("code", {}, String(found.contract_version).slice(0, 16))],
          ["MLflow run", found.mlflow_run_id && h("code", {}, found.mlflow_run_id)],
        ]),
      ),
      params.length
        ? card(
            "Parameters",
            {},
            facts(
              params.map(([name, value]) => [
                name,
                typeof value === "number" && !Number.isInteger(value) ? fixed(value, 4) : String(value),
              ]),
            ),
          )
        : null,
      segments.length ? card("Segments", {}, table("Segments", segmentColumns, segments)) : null,
    ),
  };
}
