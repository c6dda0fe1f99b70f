// One drift run: verdict, reports, columns, performance, segments.

import { call, url } from "./api.js";
import { sparkline } from "./charts.js";
import { count, fixed, moment, percent, span, tiny, words } from "./format.js";
import { METRICS, badge, card, empty, facts, h, interval, say, table, waiting } from "./parts.js";

const REPORTS = ["data_drift", "prediction_drift", "target_drift", "performance"];
const THRESHOLD = 0.1; // domain.drift.drift.EFFECT_THRESHOLD; a test compares them
const Q_THRESHOLD = 0.001; // domain.drift.drift.Q_THRESHOLD; likewise

const MISSING = {
  target_drift: "Target drift needs labels: POST /labels hands in what turned out true.",
  performance: "The performance report needs labels, of eleven predictions with each outcome and each answer.",
};

// What would tell about fewer than eleven people is null.
const told = (value, as = count) => (value === null ? "not shown" : as(value));

function reports(links, frame, close) {
  const buttons = REPORTS.map((name) => {
    const link = links[name];
    const button = h(
      "button",
      {
        type: "button",
        "aria-pressed": "false",
        disabled: !link,
        title: link ? null : (MISSING[name] ?? "This run has no such report."),
      },
      words(name),
    );
    button.addEventListener("click", () => {
      const wasOpen = button.getAttribute("aria-pressed") === "true";
      buttons.forEach((other) => other.setAttribute("aria-pressed", "false"));
      close();
      if (wasOpen) return;
      button.setAttribute("aria-pressed", "true");
      // Another origin and a sandbox: whatever the page holds, it can't reach this one or its key.
      const view = h("iframe", {
        sandbox: "allow-scripts",
        referrerpolicy: "no-referrer",
        title: `${words(name)} report`,
        src: url(link),
      });
      const busy = waiting("the report");
      view.addEventListener("load", () => busy.remove(), { once: true });
      frame.replaceChildren(
        busy,
        view,
        h(
          "p",
          { class: "note" },
          "Drawn by Evidently from this run's sample. ",
          h("a", { href: url(link), target: "_blank", rel: "noopener noreferrer" }, "Open in a tab of its own"),
        ),
      );
      say(`${words(name)} report opened`);
    });
    return button;
  });
  const missing = REPORTS.filter((name) => !links[name] && MISSING[name]).map((name) => MISSING[name]);
  return [
    h("div", { class: "segmented", role: "group", "aria-label": "Reports" }, buttons),
    missing.length ? h("p", { class: "note" }, missing.join(" ")) : null,
    frame,
  ];
}

const strongest = (column) => [...column.tests].sort((a, b) => b.drifted - a.drifted || b.effect - a.effect)[0];

/** Mean, or the share of the category that moved most, in the reference and in the window. */
function moved({ reference, current }) {
  if (Number.isFinite(reference.mean) && Number.isFinite(current.mean)) return `${reference.mean} → ${current.mean}`;
  const [before, after] = [reference, current].map((side) => new Map(Object.entries(side.shares)));
  const by = (name) => Math.abs((after.get(name) ?? 0) - (before.get(name) ?? 0));
  const [name] = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => by(b) - by(a));
  return name === undefined ? "–" : `${name}: ${percent(before.get(name) ?? 0)} → ${percent(after.get(name) ?? 0)}`;
}

function leftOut({ malformed, unreadable_objects: objects, copies }) {
  const reasons = Object.entries(malformed)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, rows]) => `${count(rows)} ${reason}`);
  const parts = [
    reasons.length ? `malformed rows: ${reasons.join(", ")}` : null,
    objects ? `unreadable objects: ${count(objects)}` : null,
    copies ? `copies: ${count(copies)}` : null,
  ];
  return parts.filter(Boolean).join("; ") || "nothing";
}

function columnTable(compared, history) {
  const rows = compared.map((column) => ({ column, test: strongest(column), points: history[column.column] ?? [] }));
  rows.sort(
    (a, b) => Boolean(b.test?.drifted) - Boolean(a.test?.drifted) || (b.test?.effect ?? -1) - (a.test?.effect ?? -1),
  );
  return table(
    "Columns compared",
    [
      { title: "Column", cell: ({ column }) => h("span", { class: "column-name" }, column.name) },
      {
        title: "Verdict",
        cell: ({ column, test }) =>
          !test
            ? h("span", { class: "note" }, column.problem ?? "not compared")
            : h(
                "span",
                { class: "badge", "data-outcome": test.drifted ? "data_drift" : "stable" },
                h("span", { "aria-hidden": "true" }, test.drifted ? "▲ " : "● "),
                test.drifted ? "Drifted" : "Stable",
              ),
      },
      { title: "Effect size", number: true, cell: ({ test }) => fixed(test?.effect) },
      { title: "q-value", number: true, cell: ({ test }) => tiny(test?.q_value) },
      { title: "Over runs", cell: ({ points }) => (points.length ? sparkline(points, THRESHOLD) : "–") },
      { title: "Missing", number: true, cell: ({ column }) => told(column.current.missing, percent) },
      { title: "Invalid", number: true, cell: ({ column }) => told(column.current.invalid, percent) },
      { title: "Reference → window", cell: ({ column }) => moved(column) },
      { title: "Rows", number: true, cell: ({ test }) => (test ? told(test.rows) : "–") },
    ],
    rows,
  );
}

function performance(summary) {
  const { performance: measured, expectation: expected } = summary;
  if (!measured && !expected) return null;
  const figures = Object.entries(measured?.figures ?? {}).filter(([, figure]) => figure);
  return card(
    "Performance",
    {},
    measured && [
      h(
        "p",
        {},
        `Measured on ${measured.labelled === null ? "nearly all predictions of the sample" : `${count(measured.labelled)} predictions whose label has come (${percent(measured.coverage)} of the sample)`}${measured.dropped ? ": it has dropped" : measured.has_enough_labels ? "" : ": too few for a verdict"}.`,
      ),
      h(
        "dl",
        { class: "figures wide" },
        figures.map(([name, figure]) =>
          h(
            "div",
            {},
            h("dt", {}, METRICS.find(([key]) => key === name)?.[1] ?? words(name)),
            h(
              "dd",
              {},
              fixed(figure.value),
              interval(figure),
              Number.isFinite(measured.test[name])
                ? h("span", { class: "interval" }, `test rows ${fixed(measured.test[name])}`)
                : null,
            ),
          ),
        ),
      ),
      figures.length
        ? null
        : h(
            "p",
            { class: "note" },
            "The figures aren't shown: they rest on fewer than eleven predictions with one outcome or one answer.",
          ),
    ],
    expected && [
      h(
        "p",
        {},
        `Expected F1 ${fixed(expected.f1.value)}, against ${fixed(expected.reference_f1)} on the reference${expected.dropped ? ": by this estimate it has dropped" : ""}. `,
        interval(expected.f1),
      ),
      h("p", { class: "note" }, expected.note),
    ],
  );
}

const byLargest = (columns) =>
  [...columns].filter((c) => c.tests.length).sort((a, b) => strongest(b).effect - strongest(a).effect);

function segments(summary) {
  const entries = [...(summary.segments ?? [])];
  if (!entries.length) return null;
  const drifted = (entry) => entry.columns.filter((column) => column.tests.some((test) => test.drifted));
  entries.sort((a, b) => drifted(b).length - drifted(a).length);
  return card(
    "Segments",
    {},
    table(
      "Segments",
      [
        { title: "Segment", cell: (entry) => h("span", { class: "column-name" }, entry.name) },
        {
          title: "Drifted columns",
          cell: (entry) =>
            !entry.columns.length
              ? h("span", { class: "note" }, "too few rows")
              : drifted(entry)
                  .map((c) => c.name)
                  .join(", ") || "–",
        },
        {
          title: "Largest effect",
          cell: (entry) => {
            const [c] = byLargest(entry.columns);
            return c ? `${c.name} ${fixed(strongest(c).effect)}` : "–";
          },
        },
        {
          title: "q-value",
          number: true,
          cell: (entry) => {
            const [c] = byLargest(entry.columns);
            return c ? tiny(strongest(c).q_value) : "–";
          },
        },
        { title: "Rows", number: true, cell: (entry) => told(entry.rows) },
        { title: "Reference rows", number: true, cell: (entry) => told(entry.reference_rows) },
      ],
      entries,
    ),
  );
}

export async function run({ signal, parameter }) {
  const { summary, rows, links, history } = await call(`monitoring/runs/${encodeURIComponent(parameter)}`, { signal });
  const frame = h("div", { class: "report" });
  const compared = [...summary.columns, summary.prediction, summary.target].filter(Boolean);
  const findings = summary.findings.filter((name) => name !== summary.outcome);
  const explain = {
    no_data: empty(
      "No prediction in this window",
      "Nothing was asked of the model then. Choose another window, or send predictions first.",
    ),
    // A run that could not be evaluated for another reason names it among its problems.
    insufficient_data: summary.problems.length
      ? null
      : empty(
          "Too few predictions to judge",
          "The window holds too few distinct predictions for a verdict. Run again with a longer window.",
        ),
  }[summary.outcome];
  return {
    title: "Drift run",
    content: h(
      "div",
      { class: "stack" },
      h("p", { class: "crumbs" }, h("a", { href: "#/drift" }, "Drift"), " / run"),
      h(
        "div",
        { class: "title-row" },
        h("h1", {}, span(summary.start, summary.end)),
        badge(summary.outcome),
        findings.map(badge),
        summary.findings.includes("performance_drop") && !summary.performance?.has_enough_labels
          ? h("span", { class: "note" }, "performance: an estimate, without labels enough")
          : null,
      ),
      card(
        "Run",
        {},
        facts([
          ["Version", summary.version ? h("a", { href: `#/models/${summary.version}` }, summary.version) : "none"],
          ["Rows", count(rows)],
          ["Reference rows", count(summary.reference_rows)],
          ["Sample", percent(summary.rows.sample_share, 0)],
          ["Left out", leftOut(summary.rows)],
          ["Computed (UTC)", moment(summary.computed_at)],
          ["Started", summary.scheduled ? "by the schedule" : "on demand"],
          ["Mail", words(summary.mail).toLowerCase()],
        ]),
        summary.problems.length
          ? h(
              "ul",
              { class: "problems" },
              summary.problems.map((p) => h("li", {}, p)),
            )
          : null,
        explain ?? null,
      ),
      Object.keys(links).length
        ? card(
            "Reports",
            {},
            reports(links, frame, () => frame.replaceChildren()),
          )
        : null,
      compared.length
        ? card(
            "Columns",
            { aside: h("span", { class: "note" }, `drifted = effect ≥ ${THRESHOLD}, q < ${Q_THRESHOLD}, enough rows`) },
            columnTable(compared, history),
          )
        : null,
      performance(summary),
      segments(summary),
    ),
  };
}
