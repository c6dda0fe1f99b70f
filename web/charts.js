// @ts-check
// Charts as SVG. Each says in words, for a screen reader, what it shows.

import { amount, count, day, fixed, percent, short, words } from "./format.js";
import { h, s } from "./parts.js";

/**
 * A run as the timeline draws it.
 * @typedef {{run_id: string, outcome: string, end: number, drifted: number, rows: number}} Run
 *
 * One UTC day of traffic.
 * @typedef {{day: string, predictions: number, positives: number}} Day
 */

/**
 * A chart as wide as the space it gets; it is drawn again when that changes.
 * @param {number} height
 * @param {string} label what the chart shows, in words
 * @param {(width: number) => any} draw the chart's SVG elements at a width in pixels
 */
function responsive(height, label, draw) {
  const place = h("div", { class: "chart", role: "img", "aria-label": label });
  let drawnWidth = 0;
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width === drawnWidth || width < 10) return;
    drawnWidth = width;
    const box = { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" };
    place.replaceChildren(s("svg", box, draw(width)));
  }).observe(place);
  place.style.minHeight = `${height}px`;
  return place;
}

/** The smallest round number that is not below `value`. */
function roundUp(value) {
  const step = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * step).find((top) => top >= value) ?? 1;
}

const text = (x, y, content, anchor = "start") => s("text", { x, y, "text-anchor": anchor }, content);

const DAILY_HEIGHT = 210;

/** The axes of a chart with one slot per day: its grid, and where days and values lie. */
function dailyAxes(days, width, top, label) {
  const left = 38;
  const bottom = DAILY_HEIGHT - 20;
  const slot = (width - left) / days.length;
  const y = (value) => bottom - (value / top) * (bottom - 10);
  const grid = [0, top / 2, top].map((value) => [
    s("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
    text(left - 6, y(value) + 4, label(value), "end"),
  ]);
  const last = days.length - 1;
  const middle = Math.floor(last / 2);
  const ticks = [
    text(left, bottom + 15, days[0].day.slice(5)),
    text(left + (middle + 0.5) * slot, bottom + 15, days[middle].day.slice(5), "middle"),
    text(width, bottom + 15, days[last].day.slice(5), "end"),
  ];
  return { bottom, slot, start: (index) => left + index * slot, y, lines: [grid, ticks] };
}

/** @param {Day[]} days in order, without gaps */
export function predictionsPerDay(days) {
  const busiest = Math.max(...days.map((d) => d.predictions));
  const total = days.reduce((sum, d) => sum + d.predictions, 0);
  const label =
    `Predictions per day over ${amount(days.length, "day")}: ${count(total)} in total, ` +
    `${count(busiest)} on the busiest day.`;
  return responsive(DAILY_HEIGHT, label, (width) => {
    const { bottom, slot, start, y, lines } = dailyAxes(days, width, roundUp(busiest), short);
    const bars = days.map((d, index) => {
      const [x, top] = [start(index) + slot * 0.14, y(d.predictions)];
      const size = { width: slot * 0.72, height: bottom - top, rx: Math.min(2, slot / 6) };
      return s(
        "g",
        {},
        s("title", {}, `${d.day}: ${amount(d.predictions, "prediction")}`),
        s("rect", { class: "hit", x: start(index), y: 0, width: slot, height: bottom }),
        s("rect", { class: "bar-fill", x, y: top, ...size }),
      );
    });
    return [lines, bars];
  });
}

/** @param {Day[]} days in order, without gaps */
export function positivesPerDay(days) {
  const points = days
    .map((d, index) => ({ ...d, index, share: d.positives / d.predictions }))
    .filter((point) => point.predictions > 0);
  const top = Math.min(1, roundUp(Math.max(0.01, ...points.map((point) => point.share))));
  const digits = (50 * top) % 1 ? 1 : 0;
  const latest = points.at(-1);
  const ending = latest ? `; ${percent(latest.share)} on the latest day, ${latest.day}` : "";
  return responsive(DAILY_HEIGHT, `Share of positive predictions per day${ending}.`, (width) => {
    const axes = dailyAxes(days, width, top, (share) => `${fixed(100 * share, digits)}%`);
    const { bottom, slot, start, y, lines } = axes;
    const x = (point) => start(point.index) + slot / 2;
    // The line breaks at days without predictions.
    const path = points.map((point, n) => {
      const command = n && points[n - 1].index === point.index - 1 ? "L" : "M";
      return `${command}${x(point).toFixed(1)} ${y(point.share).toFixed(1)}`;
    });
    const dots = points.map((point) => {
      const counts = `${count(point.positives)} of ${count(point.predictions)}`;
      return s(
        "g",
        {},
        s("title", {}, `${point.day}: ${percent(point.share)} positive (${counts})`),
        s("rect", { class: "hit", x: start(point.index), y: 0, width: slot, height: bottom }),
        s("circle", { class: "dot", cx: x(point), cy: y(point.share), r: 2.4 }),
      );
    });
    return [lines, s("path", { class: "line", d: path.join("") }), dots];
  });
}

/** Heights of a run's bar in the timeline: the more serious the outcome, the taller. */
const SEVERITY = {
  no_data: 0.12,
  insufficient_data: 0.12,
  stable: 0.28,
  data_drift: 0.62,
  prediction_drift: 0.8,
  performance_drop: 1,
};

/** @param {Run} run */
function runTitle(run) {
  const drifted = run.drifted ? `, ${run.drifted} drifted` : "";
  return `${day(run.end - 1)}: ${words(run.outcome)}${drifted}, ${amount(run.rows, "row")}`;
}

/**
 * Every drift run as one bar, with a legend.
 * @param {Run[]} runs the oldest first; at least one
 */
export function runTimeline(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(run.outcome, (counts.get(run.outcome) ?? 0) + 1);
  const summary = [...counts].map(([outcome, n]) => `${n} ${words(outcome).toLowerCase()}`).join(", ");
  const first = runs[0].end;
  const last = runs[runs.length - 1].end;
  const chart = responsive(96, `${amount(runs.length, "drift run")}: ${summary}.`, (width) => {
    const bottom = 76;
    const barWidth = Math.max(1.5, Math.min(10, (width / runs.length) * 0.7));
    const bars = runs.map((run) => {
      const share = (run.end - first) / Math.max(1, last - first);
      const x = runs.length === 1 ? width / 2 : share * (width - barWidth);
      const height = SEVERITY[run.outcome] * 66;
      const size = { width: barWidth, height, rx: Math.min(1.5, barWidth / 3) };
      // For the mouse only: with a keyboard the table of runs leads there, and an image holds no links.
      const open = () => {
        location.hash = `#/drift/${run.run_id}`;
      };
      return s(
        "g",
        { class: "pick", onclick: open },
        s("title", {}, runTitle(run)),
        s("rect", { class: "hit", x: x - 1, y: 0, width: barWidth + 2, height: bottom }),
        s("rect", { class: "tick", "data-outcome": run.outcome, x, y: bottom - height, ...size }),
      );
    });
    return [
      s("line", { class: "grid", x1: 0, x2: width, y1: bottom + 0.5, y2: bottom + 0.5 }),
      bars,
      text(0, 92, day(first - 1)),
      runs.length > 1 ? text(width, 92, day(last - 1), "end") : null,
    ];
  });
  const legend = [...counts.keys()]
    .sort((a, b) => SEVERITY[a] - SEVERITY[b])
    .map((outcome) => {
      const swatch = h("span", { class: "swatch", "data-outcome": outcome });
      return h("li", {}, swatch, `${words(outcome)} ${count(counts.get(outcome))}`);
    });
  return [chart, h("ul", { class: "legend" }, legend)];
}

/**
 * The times at which a job was due, as one bar each; a missing run is an empty frame.
 * @param {{due_at: number, state: string, run_id: string | null, outcome: string | null}[]} due the
 *   earliest first; at least one
 * @param {string} name
 */
export function dueTimes(due, name) {
  const missing = due.filter((each) => each.state === "missed").length;
  const label = `${name}: ${amount(due.length, "run")} due, ${count(missing)} missing.`;
  return responsive(64, label, (width) => {
    const bottom = 44;
    const slot = Math.min(28, width / due.length);
    const barWidth = Math.min(14, slot * 0.7);
    const bars = due.map(({ due_at: at, state, run_id: runId, outcome }, index) => {
      const x = index * slot + (slot - barWidth) / 2;
      const height = outcome ? SEVERITY[outcome] * 40 : 40;
      const size = { x, y: bottom - height, width: barWidth, height, rx: Math.min(2, barWidth / 3) };
      const result = outcome ? words(outcome) : state === "missed" ? "missing" : "not yet";
      // For the mouse only, as in the timeline: the table below leads there, too.
      const open = runId
        ? () => {
            location.hash = `#/drift/${runId}`;
          }
        : null;
      return s(
        "g",
        { class: runId ? "pick" : null, ...(open ? { onclick: open } : {}) },
        s("title", {}, `${day(at)}: ${result}`),
        s("rect", { class: "hit", x: index * slot, y: 0, width: slot, height: bottom }),
        outcome
          ? s("rect", { class: "tick", "data-outcome": outcome, ...size })
          : s("rect", { class: state === "missed" ? "frame missed" : "frame", ...size }),
      );
    });
    return [
      s("line", { class: "grid", x1: 0, x2: width, y1: bottom + 0.5, y2: bottom + 0.5 }),
      bars,
      text(0, 60, day(due[0].due_at)),
      slot * due.length > 160 ? text(slot * due.length, 60, day(due[due.length - 1].due_at), "end") : null,
    ];
  });
}

/**
 * A point of a line over time; with bounds it has a bar for its interval.
 * @typedef {{at: number, value: number, low?: number, high?: number, title: string}} Point
 */

/**
 * Lines over time, and vertical markers.
 * @param {{
 *   label: string,
 *   series: {kind: string, points: Point[]}[],
 *   markers: {at: number, title: string}[],
 *   top?: number,
 *   format: (value: number) => string,
 * }} chart
 */
export function overTime({ label, series, markers, top, format }) {
  const all = series.flatMap(({ points }) => points);
  if (!all.length) return h("p", { class: "note" }, "No figure in these runs.");
  const times = all.map((p) => p.at);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const [least, most] = [Math.min(...all.map((p) => p.value)), Math.max(...all.map((p) => p.value))];
  const lowest = least < 0 ? -roundUp(-least) : 0;
  const highest = top ?? (lowest && most <= 0 ? 0 : roundUp(Math.max(most, 0.001)));
  const middle = Number(((lowest + highest) / 2).toPrecision(6));
  const latest = all.reduce((a, b) => (b.at >= a.at ? b : a));
  const summary = `${label}: ${amount(all.length, "point")}; the latest, ${latest.title}.`;
  return responsive(DAILY_HEIGHT, summary, (width) => {
    const left = 42;
    const bottom = DAILY_HEIGHT - 20;
    const x = (at) =>
      first === last ? (left + width) / 2 : left + 4 + ((at - first) / (last - first)) * (width - left - 8);
    const y = (value) =>
      bottom - ((Math.max(lowest, Math.min(value, highest)) - lowest) / (highest - lowest)) * (bottom - 10);
    const grid = [lowest, middle, highest].map((value) => [
      s("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
      text(left - 6, y(value) + 4, format(value), "end"),
    ]);
    const lines = series.map(({ kind, points }) => [
      points.map((p) =>
        p.low === undefined || p.high === undefined
          ? null
          : s("line", { class: "whisker", x1: x(p.at), x2: x(p.at), y1: y(p.low), y2: y(p.high) }),
      ),
      s("polyline", {
        class: kind === "expected" ? "line dashed" : "line",
        points: points.map((p) => `${x(p.at).toFixed(1)},${y(p.value).toFixed(1)}`).join(" "),
      }),
      points.map((p) =>
        s("g", {}, s("title", {}, p.title), s("circle", { class: "dot", cx: x(p.at), cy: y(p.value), r: 2.4 })),
      ),
    ]);
    const marks = markers
      .filter(({ at }) => at >= first && at <= last)
      .map(({ at, title }) =>
        s("g", {}, s("title", {}, title), s("line", { class: "limit", x1: x(at), x2: x(at), y1: 6, y2: bottom })),
      );
    const ends = [
      text(left, bottom + 15, day(first - 1)),
      first === last ? null : text(width, bottom + 15, day(last - 1), "end"),
    ];
    return [grid, marks, lines, ends];
  });
}

/**
 * Two distributions over the same bins, as pairs of bars.
 * @param {{name: string, reference: number | null, current: number | null}[]} bins
 * @param {string} name
 * @param {number[] | undefined} edges of numbers, below and above which the outer bins are open
 */
export function distribution(bins, name, edges) {
  const sides = /** @type {const} */ (["reference", "current"]);
  const top = Math.max(0.01, ...bins.flatMap((bin) => sides.map((side) => bin[side] ?? 0)));
  const moved = [...bins].sort(
    (a, b) => Math.abs((b.current ?? 0) - (b.reference ?? 0)) - Math.abs((a.current ?? 0) - (a.reference ?? 0)),
  )[0];
  const label =
    `${name}: reference and window in ${bins.length} groups. Most changed: ${moved.name}, ` +
    `${percent(moved.reference ?? NaN)} to ${percent(moved.current ?? NaN)}.`;
  return responsive(132, label, (width) => {
    const bottom = 112;
    const slot = width / bins.length;
    const barWidth = Math.min(18, slot * 0.4);
    const middle = (n) => (n + 0.5) * slot;
    const bars = bins.map((bin, n) => {
      const shares = sides.map((side) => (bin[side] === null ? "suppressed" : percent(bin[side]))).join(" → ");
      const drawn = sides.map((side, index) => {
        const height = ((bin[side] ?? 0) / top) * (bottom - 8);
        const x = middle(n) + (index - 1) * barWidth;
        return s("rect", { class: "side", "data-side": side, x, y: bottom - height, width: barWidth, height });
      });
      const hit = s("rect", { class: "hit", x: n * slot, y: 0, width: slot, height: bottom });
      return s("g", {}, s("title", {}, `${bin.name}: ${shares}`), hit, drawn);
    });
    const room = Math.max(3, Math.floor(slot / 6.5)); // letters of a name that fit below its bars
    const every = Math.max(1, Math.ceil(bins.length / Math.max(2, Math.floor(width / 52))));
    const names = edges
      ? edges.map((edge, n) => (n % every ? null : text((n + 1) * slot, bottom + 15, String(edge), "middle")))
      : bins.map((bin, n) => {
          const cut = bin.name.length > room ? `${bin.name.slice(0, room - 1)}…` : bin.name;
          return text(middle(n), bottom + 15, cut, "middle");
        });
    return [s("line", { class: "grid", x1: 0, x2: width, y1: bottom + 0.5, y2: bottom + 0.5 }), bars, names];
  });
}

/**
 * A curve in the unit square, with the diagonal.
 * @param {{points: [number, number][], label: string, x: string, y: string, dots?: boolean}} curve
 */
export function unitCurve({ points, label, x: across, y: up, dots = false }) {
  return responsive(260, label, (width) => {
    const left = 46;
    const bottom = 216;
    const right = Math.min(width - 8, left + 340);
    const x = (value) => left + value * (right - left);
    const y = (value) => bottom - value * (bottom - 10);
    const grid = [0, 0.5, 1].map((value) => [
      s("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      text(left - 6, y(value) + 4, fixed(value, 1), "end"),
      text(x(value), bottom + 16, fixed(value, 1), value === 1 ? "end" : "middle"),
    ]);
    const line = points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
    return [
      grid,
      s("line", { class: "limit", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
      s("polyline", { class: "line", points: line }),
      points.map(([a, b]) =>
        s(
          "g",
          {},
          s("title", {}, `${across} ${fixed(a)}, ${up.toLowerCase()} ${fixed(b)}`),
          s("circle", { class: dots ? "dot" : "hit", cx: x(a), cy: y(b), r: dots ? 3 : 6 }),
        ),
      ),
      text((left + right) / 2, bottom + 38, across, "middle"),
    ];
  });
}

const MOST_BARS = 20;

/**
 * The largest entries, and what all others come to together.
 * @param {[string, number][]} entries the largest first
 * @returns {[string, number][]}
 */
function gatherSmall(entries) {
  if (entries.length <= MOST_BARS) return entries;
  const others = entries.slice(MOST_BARS - 1);
  const together = others.reduce((sum, [, value]) => sum + value, 0);
  return [...entries.slice(0, MOST_BARS - 1), [`${others.length} others together`, together]];
}

/** In percent; of many small parts together at most the whole width, so that single ones stay readable. */
const barWidth = (value, largest) => Math.min(100, (100 * value) / largest);

/**
 * Parts of a whole as bars with their names, the largest first; of many, the small ones together.
 * @param {[string, number][]} entries name and share
 */
export function shareBars(entries) {
  const largest = Math.max(1e-9, ...entries.map(([, share]) => share));
  const bars = gatherSmall(entries).map(([name, share]) => {
    const bar = s(
      "svg",
      { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      s("rect", { class: "bar-fill", x: 0, y: 1, width: barWidth(share, largest), height: 8 }),
    );
    return h("li", {}, h("span", { class: "name" }, name), bar, h("span", { class: "number" }, percent(share)));
  });
  return h("ul", { class: "contributions" }, bars);
}

/**
 * The effect size of one column over the latest runs, with the threshold as a line.
 * @param {{effect: number, drifted: boolean}[]} points the oldest first; at least one
 * @param {number} threshold
 */
export function sparkline(points, threshold) {
  const width = 96;
  const height = 24;
  const top = Math.max(threshold * 1.2, ...points.map((p) => p.effect));
  const x = (i) => 3 + (points.length === 1 ? 0.5 : i / (points.length - 1)) * (width - 6);
  const y = (effect) => height - 3 - (effect / top) * (height - 6);
  const label = `${amount(points.length, "run")}, latest effect ${fixed(points[points.length - 1].effect)}`;
  const line = points.map((p, i) => `${x(i).toFixed(1)},${y(p.effect).toFixed(1)}`).join(" ");
  const marks = points.map((p, i) => {
    if (!p.drifted && i < points.length - 1) return null;
    return s("circle", { class: p.drifted ? "alarm" : "dot", cx: x(i), cy: y(p.effect), r: 2.2 });
  });
  return s(
    "svg",
    { class: "spark", width, height, role: "img", "aria-label": label },
    s("line", { class: "limit", x1: 0, x2: width, y1: y(threshold), y2: y(threshold) }),
    s("polyline", { class: "line", points: line }),
    marks,
  );
}

/**
 * What each feature contributed to a prediction; bars to the right raise the probability. Of many
 * features, those that contributed least are one bar.
 * @param {[string, number][]} entries feature and contribution, in log-odds or percentage points,
 *   the largest in either direction first
 * @param {number} digits after the decimal point
 */
export function contributions(entries, digits = 2) {
  const largest = Math.max(1e-9, ...entries.map(([, value]) => Math.abs(value)));
  const bars = gatherSmall(entries).map(([name, value]) => {
    const width = barWidth(Math.abs(value), largest) / 2;
    const place = { x: value >= 0 ? 50 : 50 - width, y: 1, width, height: 8 };
    const chart = s(
      "svg",
      { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      s("rect", { class: value >= 0 ? "towards" : "against", ...place }),
      s("line", { class: "grid", x1: 50, x2: 50, y1: 0, y2: 10 }),
    );
    const figure = `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(digits)}`;
    return h("li", {}, h("span", { class: "name" }, name), chart, h("span", { class: "number" }, figure));
  });
  return h("ul", { class: "contributions" }, bars);
}

/**
 * A probability from 0 to 1, with the threshold at which the answer changes.
 * @param {number} probability
 * @param {number} threshold
 */
export function gauge(probability, threshold) {
  const label = `Probability ${percent(probability)}, threshold ${percent(threshold)}`;
  const bar = probability >= threshold ? "towards" : "against";
  return s(
    "svg",
    { class: "gauge", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("rect", { class: "rail", x: 0, y: 1, width: 100, height: 6 }),
    s("rect", { class: bar, x: 0, y: 1, width: 100 * probability, height: 6 }),
    s("rect", { class: "mark", x: 100 * threshold - 0.3, y: 0, width: 0.6, height: 8 }),
  );
}
