// Overview: what serves, what was asked of it, whether it drifts; with the charts of time.

import { call } from "./api.js";
import { ago, count, day, fixed, moment, percent, short, words } from "./format.js";
import {
  METRICS,
  badge,
  card,
  command,
  empty,
  facts,
  figure,
  h,
  interval,
  later,
  operator,
  runColumns,
  s,
  table,
} from "./parts.js";

// Charts are drawn as wide as their place is. Each says in words what it shows.
function responsive(height, label, draw) {
  const place = h("div", { class: "chart", role: "img", "aria-label": label });
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width === drawn || width < 10) return;
    drawn = width;
    place.replaceChildren(
      s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, draw(width)),
    );
  }).observe(place);
  place.style.minHeight = `${height}px`;
  return place;
}

function ceiling(value) {
  const step = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 2.5, 5, 10].map((m) => m * step).find((top) => top >= value) ?? 1;
}

const text = (x, y, content, anchor = "start") => s("text", { x, y, "text-anchor": anchor }, content);

function frame(width, height, top, label) {
  const left = 38,
    bottom = height - 20;
  const lines = [0, 0.5, 1].map((share) => {
    const y = bottom - share * (bottom - 10);
    return [
      s("line", { class: "grid", x1: left, x2: width, y1: y, y2: y }),
      text(left - 6, y + 4, label(share * top), "end"),
    ];
  });
  return { left, bottom, reach: bottom - 10, lines };
}

function dayTicks(days, x, bottom) {
  return [0, Math.floor((days.length - 1) / 2), days.length - 1].map((i, n) =>
    text(x(i), bottom + 15, days[i].day.slice(5), ["start", "middle", "end"][n]),
  );
}

function dailyBars(days) {
  const most = ceiling(Math.max(...days.map((d) => d.predictions)));
  const total = days.reduce((sum, d) => sum + d.predictions, 0);
  return responsive(
    210,
    `Predictions per day over ${days.length} days: ${count(total)} in all, at most ${count(Math.max(...days.map((d) => d.predictions)))} a day.`,
    (width) => {
      const { left, bottom, reach, lines } = frame(width, 210, most, short);
      const slot = (width - left) / days.length;
      const bars = days.map((d, i) => {
        const tall = (d.predictions / most) * reach;
        return s(
          "g",
          {},
          s("title", {}, `${d.day}: ${count(d.predictions)} predictions`),
          s("rect", { class: "hit", x: left + i * slot, y: 0, width: slot, height: bottom }),
          s("rect", {
            class: "bar-fill",
            x: left + i * slot + slot * 0.14,
            y: bottom - tall,
            width: slot * 0.72,
            height: tall,
            rx: Math.min(2, slot / 6),
          }),
        );
      });
      return [
        lines,
        bars,
        dayTicks(days, (i) => left + (i === 0 ? 0 : i === days.length - 1 ? days.length : i + 0.5) * slot, bottom),
      ];
    },
  );
}

function dailyShare(days) {
  const known = days
    .map((d, i) => ({ ...d, i, share: d.predictions ? d.positives / d.predictions : null }))
    .filter((d) => d.share !== null);
  const most = Math.min(1, ceiling(Math.max(0.01, ...known.map((d) => d.share))));
  const latest = known.at(-1);
  return responsive(
    210,
    `Share of positive predictions per day${latest ? `; latest ${percent(latest.share)} on ${latest.day}` : ""}.`,
    (width) => {
      const { left, bottom, reach, lines } = frame(
        width,
        210,
        most,
        (v) => `${fixed(100 * v, (50 * most) % 1 ? 1 : 0)}%`,
      );
      const slot = (width - left) / days.length;
      const x = (d) => left + (d.i + 0.5) * slot,
        y = (d) => bottom - (d.share / most) * reach;
      const path = known
        .map((d, n) => `${n && known[n - 1].i === d.i - 1 ? "L" : "M"}${x(d).toFixed(1)} ${y(d).toFixed(1)}`)
        .join("");
      const dots = known.map((d) =>
        s(
          "g",
          {},
          s("title", {}, `${d.day}: ${percent(d.share)} positive (${count(d.positives)} of ${count(d.predictions)})`),
          s("rect", { class: "hit", x: x(d) - slot / 2, y: 0, width: slot, height: bottom }),
          s("circle", { class: "dot", cx: x(d), cy: y(d), r: 2.4 }),
        ),
      );
      return [
        lines,
        s("path", { class: "line", d: path }),
        dots,
        dayTicks(days, (i) => left + (i === 0 ? 0 : i === days.length - 1 ? days.length : i + 0.5) * slot, bottom),
      ];
    },
  );
}

// Every run a tick: the quiet ones low, the serious ones tall.
const HEIGHTS = {
  no_data: 0.12,
  insufficient_data: 0.12,
  stable: 0.28,
  data_drift: 0.62,
  prediction_drift: 0.8,
  performance_drop: 1,
};

function timeline(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(run.outcome, (counts.get(run.outcome) ?? 0) + 1);
  const told = [...counts].map(([outcome, n]) => `${n} ${words(outcome).toLowerCase()}`).join(", ");
  const chart = responsive(96, `${count(runs.length)} drift runs: ${told}.`, (width) => {
    const bottom = 76,
      first = runs[0].end,
      range = Math.max(1, runs.at(-1).end - first);
    const wide = Math.max(1.5, Math.min(10, (width / runs.length) * 0.7));
    const ticks = runs.map((run) => {
      const x = runs.length === 1 ? width / 2 : ((run.end - first) / range) * (width - wide);
      const tall = HEIGHTS[run.outcome] * 66;
      // By mouse only: the table of runs is the way by keyboard, and an image holds no links.
      return s(
        "g",
        {
          class: "pick",
          onclick: () => {
            location.hash = `#/drift/${run.run_id}`;
          },
        },
        s(
          "title",
          {},
          `${day(run.end - 1)}: ${words(run.outcome)}${run.drifted ? `, ${run.drifted} drifted` : ""}, ${count(run.rows)} rows`,
        ),
        s("rect", { class: "hit", x: x - 1, y: 0, width: wide + 2, height: bottom }),
        s("rect", {
          class: "tick",
          "data-outcome": run.outcome,
          x,
          y: bottom - tall,
          width: wide,
          height: tall,
          rx: Math.min(1.5, wide / 3),
        }),
      );
    });
    return [
      s("line", { class: "grid", x1: 0, x2: width, y1: bottom + 0.5, y2: bottom + 0.5 }),
      ticks,
      text(0, 92, day(first - 1)),
      runs.length > 1 ? text(width, 92, day(runs.at(-1).end - 1), "end") : null,
    ];
  });
  const legend = [...counts.keys()]
    .sort((a, b) => HEIGHTS[a] - HEIGHTS[b])
    .map((o) => h("li", {}, h("span", { class: "swatch", "data-outcome": o }), `${words(o)} ${count(counts.get(o))}`));
  return [chart, h("ul", { class: "legend" }, legend)];
}

function champion(data) {
  const { champion: pointer, card: model } = data;
  if (!pointer) {
    return card(
      "Champion",
      { class: "span-4" },
      empty(
        "No model serves yet",
        "Upload data and train; the first model that passes the gate becomes the champion.",
        command(operator("train")),
      ),
    );
  }
  const shown = METRICS.slice(0, 4)
    .map(([name, title]) => [title, figure(model, name)])
    .filter(([, found]) => found);
  return card(
    "Champion",
    { class: "span-4", aside: h("a", { href: `#/models/${pointer.version}` }, "Card") },
    h(
      "p",
      { class: "headline" },
      pointer.version,
      h("small", {}, `${pointer.action === "rollback" ? "rolled back" : "promoted"} ${ago(pointer.promoted_at)}`),
    ),
    shown.length
      ? h(
          "dl",
          { class: "figures" },
          shown.map(([title, found]) =>
            h("div", {}, h("dt", {}, title), h("dd", {}, fixed(found.value), interval(found))),
          ),
        )
      : h("p", { class: "note" }, "This version has no model card."),
    facts([
      ["Promoted (UTC)", moment(pointer.promoted_at)],
      ["Threshold", model ? fixed(model.threshold) : null],
      ["Before it", pointer.previous?.version ?? "none"],
    ]),
  );
}

function incident(data) {
  if (data.problems.length)
    return h(
      "div",
      { class: "strip", "data-state": "alarm" },
      h("strong", {}, "Incident not known"),
      h("span", {}, data.problems.join(" ")),
    );
  const open = data.incident;
  if (!open) {
    const told = data.runs_total
      ? "No open incident. A scheduled run that finds drift opens one and sends a mail."
      : "No open incident, and no drift run yet that could open one.";
    return h("div", { class: "strip", "data-state": "calm" }, h("strong", {}, "All quiet"), h("span", {}, told));
  }
  return h(
    "div",
    { class: "strip", "data-state": "alarm" },
    h("strong", {}, "Open incident"),
    badge(open.outcome),
    h("span", {}, `since ${day(open.opened_at - 1)}${open.drifted.length ? `: ${open.drifted.join(", ")}` : ""}`),
    data.latest.length ? h("a", { href: `#/drift/${data.latest[0].run_id}` }, "Latest run") : null,
  );
}

function drift(data) {
  if (!data.runs_total) {
    return card(
      "Drift timeline",
      { class: "span-12" },
      empty(
        "No drift run yet",
        "A run compares a window of predictions with the champion's own reference sample. It comes on its schedule, or now.",
        h("p", {}, h("a", { class: "button", href: "#/drift" }, "Run now")),
      ),
    );
  }
  return card(
    "Drift timeline",
    { class: "span-12", aside: h("span", { class: "note" }, `${count(data.runs_total)} runs`) },
    timeline(data.timeline),
  );
}

function traffic(days) {
  const total = days.reduce((sum, d) => sum + d.predictions, 0);
  const positives = days.reduce((sum, d) => sum + d.positives, 0);
  if (!total)
    return empty(
      "No prediction in the last 30 days",
      "Score a patient on the Predictions page, or send test rows:",
      command(operator("simulate")),
    );
  const today = days.at(-1);
  const rows = days.filter((d) => d.predictions).reverse();
  return [
    h(
      "div",
      { class: "pair" },
      h(
        "figure",
        {},
        h(
          "figcaption",
          {},
          h("strong", {}, count(total)),
          ` predictions in 30 days, ${count(today.predictions)} today`,
        ),
        dailyBars(days),
      ),
      h(
        "figure",
        {},
        h("figcaption", {}, h("strong", {}, percent(positives / total)), " of them positive"),
        dailyShare(days),
      ),
    ),
    h(
      "details",
      {},
      h("summary", {}, "As a table"),
      table(
        "Predictions per day",
        [
          { title: "Day", cell: (d) => d.day },
          { title: "Predictions", number: true, cell: (d) => count(d.predictions) },
          { title: "Positive", number: true, cell: (d) => count(d.positives) },
          { title: "Share", number: true, cell: (d) => percent(d.positives / d.predictions) },
        ],
        rows,
      ),
    ),
  ];
}

export async function overview({ signal }) {
  const data = await call("monitoring/overview", { signal });
  const place = h("div", { class: "body" });
  const busy = later(place, "predictions per day", signal, async (ended) =>
    traffic((await call("monitoring/traffic", { signal: ended })).days),
  );
  return {
    title: "Overview",
    busy,
    content: h(
      "div",
      { class: "grid-12" },
      h("h1", { class: "visually-hidden" }, "Overview"),
      h("div", { class: "span-12" }, incident(data)),
      champion(data),
      card("Predictions", { class: "span-8" }, place),
      drift(data),
      data.latest.length
        ? card(
            "Latest runs",
            { class: "span-12", aside: h("a", { href: "#/drift" }, "All runs") },
            table("Latest drift runs", runColumns, data.latest),
          )
        : null,
    ),
  };
}
