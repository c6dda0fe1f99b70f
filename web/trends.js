// @ts-check
// Trends: performance, label coverage and columns over time, with the promotions.

import { call } from "./api.js";
import { overTime } from "./charts.js";
import { day, fixed, percent } from "./format.js";
import { card, command, empty, h, operator, table } from "./parts.js";

const DAY_MS = 86400000;
const RANGES = [14, 30, 90, 366];

const figure = (caption, drawing) => h("figure", {}, h("figcaption", {}, caption), drawing);

const markersOf = (promotions) =>
  promotions.map((p) => ({ at: p.promoted_at, title: `${day(p.promoted_at)}: ${p.action} of ${p.version}` }));

function performanceCard(points, promotions) {
  const measured = points.filter((p) => p.f1);
  const expected = points.filter((p) => Number.isFinite(p.expected_f1));
  if (!measured.length && !expected.length) {
    const advice = "Runs measure F1 where labels have arrived, and estimate it from the model's probabilities.";
    return card("Performance", {}, empty("No F1 in these runs", advice, command(operator("labels-wanted"))));
  }
  const series = [
    {
      kind: "expected",
      points: expected.map((p) => ({
        at: p.end,
        value: p.expected_f1,
        title: `${day(p.end - 1)}: expected F1 ${fixed(p.expected_f1)}`,
      })),
    },
    {
      kind: "measured",
      points: measured.map((p) => ({
        at: p.end,
        ...p.f1,
        title: `${day(p.end - 1)}: F1 ${fixed(p.f1.value)} (${fixed(p.f1.low)} – ${fixed(p.f1.high)}), ${p.version}`,
      })),
    },
  ];
  const covered = points.filter((p) => Number.isFinite(p.coverage));
  const coverage = covered.map((p) => ({
    at: p.end,
    value: p.coverage,
    title: `${day(p.end - 1)}: ${percent(p.coverage)} labelled`,
  }));
  const markers = markersOf(promotions);
  const rows = [...points].reverse();
  return card(
    "Performance",
    {},
    h(
      "div",
      { class: "pair" },
      figure(
        "F1 by labels with its 95 % interval (solid), and expected (dashed); a vertical line is a promotion",
        overTime({ label: "F1 over time", series, markers, top: 1, format: (v) => fixed(v, 1) }),
      ),
      figure(
        "Share of predictions that have a label",
        overTime({
          label: "Label coverage over time",
          series: [{ kind: "measured", points: coverage }],
          markers,
          top: 1,
          format: (v) => percent(v, 0),
        }),
      ),
    ),
    h("details", {}, h("summary", {}, "As a table"), table("Performance over time", performanceColumns, rows)),
  );
}

const performanceColumns = [
  { title: "Window ends", cell: (p) => h("a", { href: `#/drift/${p.run_id}` }, day(p.end - 1)) },
  {
    title: "F1",
    number: true,
    cell: (p) => (p.f1 ? `${fixed(p.f1.value)} (${fixed(p.f1.low)} – ${fixed(p.f1.high)})` : "–"),
  },
  { title: "Expected F1", number: true, cell: (p) => fixed(p.expected_f1) },
  { title: "Labelled", number: true, cell: (p) => (Number.isFinite(p.coverage) ? percent(p.coverage) : "–") },
  { title: "Version", cell: (p) => h("code", {}, p.version) },
];

function columnPart(points, name, promotions) {
  const at = (p) => p.columns.find((column) => column.column === name);
  const found = points.flatMap((p) => (at(p) ? [{ end: p.end, ...at(p) }] : []));
  const drawn = (key, format) =>
    found
      .filter((column) => Number.isFinite(column[key]))
      .map((column) => ({
        at: column.end,
        value: column[key],
        title: `${day(column.end - 1)}: ${format(column[key])}`,
      }));
  const markers = markersOf(promotions);
  const unit = found.at(-1)?.unit;
  const means = drawn("mean", (v) => `${v}${unit ? ` ${unit}` : ""}`);
  const charts = [
    means.length
      ? figure(
          `Mean${unit ? `, ${unit}` : ""}`,
          overTime({
            label: `Mean of ${name}`,
            series: [{ kind: "measured", points: means }],
            markers,
            format: String,
          }),
        )
      : null,
    figure(
      "Share of missing values",
      overTime({
        label: `Missing values of ${name}`,
        series: [{ kind: "measured", points: drawn("missing", percent) }],
        markers,
        format: (v) => percent(v, 1),
      }),
    ),
  ];
  return h("div", { class: "pair" }, charts);
}

function columnsCard(points, promotions) {
  const latest = points.at(-1)?.columns ?? [];
  if (!latest.length) return null;
  const select = h(
    "select",
    { id: "column", name: "column" },
    latest.map((c) => h("option", { value: c.column }, c.title || c.column)),
  );
  const place = h("div", { class: "body" });
  const draw = () => place.replaceChildren(columnPart(points, select.value, promotions));
  select.addEventListener("change", draw);
  draw();
  const form = h("div", { class: "inline-form" }, h("label", { for: "column" }, "Column"), select);
  const note = "Of each run's sample. What would describe fewer than eleven rows is left out.";
  return card("Columns over time", {}, form, h("p", { class: "note" }, note), place);
}

export async function trends({ signal }) {
  const data = await call("monitoring/trends", { signal });
  if (!data.points.length) {
    const advice = "Runs over predictions make them. Start one on the page Drift, or send test rows:";
    const content = card("Trends", {}, empty("No run with predictions yet", advice, command(operator("simulate"))));
    return { title: "Trends", content: h("div", { class: "stack" }, h("h1", {}, "Trends"), content) };
  }
  const versions = [...new Set(data.points.map((p) => p.version))];
  const range = h(
    "select",
    { id: "range", name: "range" },
    RANGES.map((n) => h("option", { value: n, selected: n === 90 }, `${n} days`)),
  );
  const version = h(
    "select",
    { id: "version", name: "version" },
    h("option", { value: "" }, "all"),
    versions.map((v) => h("option", { value: v }, v)),
  );
  const place = h("div", { class: "stack" });
  const draw = () => {
    const last = data.points.at(-1).end;
    const start = last - Number(range.value) * DAY_MS;
    const points = data.points.filter((p) => p.end > start && (!version.value || p.version === version.value));
    const promotions = data.promotions.filter((p) => p.promoted_at > start && p.promoted_at <= last);
    place.replaceChildren(
      ...[performanceCard(points, promotions), columnsCard(points, promotions)].filter((part) => part !== null),
    );
  };
  for (const select of [range, version]) select.addEventListener("change", draw);
  draw();
  const segments = data.latest_segments
    ? h(
        "p",
        { class: "note" },
        h("a", { href: `#/drift/${data.latest_segments}` }, "Performance by segment, the worst first"),
        " in the latest run that measured it.",
      )
    : null;
  const form = h(
    "div",
    { class: "inline-form" },
    h("label", { for: "range" }, "The last"),
    range,
    h("label", { for: "version" }, "Version"),
    version,
  );
  return { title: "Trends", content: h("div", { class: "stack" }, h("h1", {}, "Trends"), form, segments, place) };
}
