// Small charts, drawn as wide as their place is. Each says in words what it shows.

import { h, s } from "./dom.js";
import { count, day, fixed, percent, short, words } from "./format.js";

function responsive(height, label, draw) {
  const place = h("div", { class: "chart", role: "img", "aria-label": label });
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width === drawn || width < 10) return;
    drawn = width;
    place.replaceChildren(s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, draw(width)));
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
  const left = 38, bottom = height - 20;
  const lines = [0, 0.5, 1].map((share) => {
    const y = bottom - share * (bottom - 10);
    return [s("line", { class: "grid", x1: left, x2: width, y1: y, y2: y }), text(left - 6, y + 4, label(share * top), "end")];
  });
  return { left, bottom, reach: bottom - 10, lines };
}

function dayTicks(days, x, bottom) {
  return [0, Math.floor((days.length - 1) / 2), days.length - 1].map((i, n) => text(x(i), bottom + 15, days[i].day.slice(5), ["start", "middle", "end"][n]));
}

export function dailyBars(days) {
  const most = ceiling(Math.max(...days.map((d) => d.predictions)));
  const total = days.reduce((sum, d) => sum + d.predictions, 0);
  return responsive(210, `Predictions per day over ${days.length} days: ${count(total)} in all, at most ${count(Math.max(...days.map((d) => d.predictions)))} a day.`, (width) => {
    const { left, bottom, reach, lines } = frame(width, 210, most, short);
    const slot = (width - left) / days.length;
    const bars = days.map((d, i) => {
      const tall = (d.predictions / most) * reach;
      return s("g", {}, s("title", {}, `${d.day}: ${count(d.predictions)} predictions`),
        s("rect", { class: "hit", x: left + i * slot, y: 0, width: slot, height: bottom }),
        s("rect", { class: "bar-fill", x: left + i * slot + slot * 0.14, y: bottom - tall, width: slot * 0.72, height: tall, rx: Math.min(2, slot / 6) }));
    });
    return [lines, bars, dayTicks(days, (i) => left + (i === 0 ? 0 : i === days.length - 1 ? days.length : i + 0.5) * slot, bottom)];
  });
}

export function dailyShare(days) {
  const known = days.map((d, i) => ({ ...d, i, share: d.predictions ? d.positives / d.predictions : null })).filter((d) => d.share !== null);
  const most = Math.min(1, ceiling(Math.max(0.01, ...known.map((d) => d.share))));
  const latest = known.at(-1);
  return responsive(210, `Share of positive predictions per day${latest ? `; latest ${percent(latest.share)} on ${latest.day}` : ""}.`, (width) => {
    const { left, bottom, reach, lines } = frame(width, 210, most, (v) => `${fixed(100 * v, (50 * most) % 1 ? 1 : 0)}%`);
    const slot = (width - left) / days.length;
    const x = (d) => left + (d.i + 0.5) * slot, y = (d) => bottom - (d.share / most) * reach;
    const path = known.map((d, n) => `${n && known[n - 1].i === d.i - 1 ? "L" : "M"}${x(d).toFixed(1)} ${y(d).toFixed(1)}`).join("");
    const dots = known.map((d) => s("g", {}, s("title", {}, `${d.day}: ${percent(d.share)} positive (${count(d.positives)} of ${count(d.predictions)})`),
      s("rect", { class: "hit", x: x(d) - slot / 2, y: 0, width: slot, height: bottom }), s("circle", { class: "dot", cx: x(d), cy: y(d), r: 2.4 })));
    return [lines, s("path", { class: "line", d: path }), dots, dayTicks(days, (i) => left + (i === 0 ? 0 : i === days.length - 1 ? days.length : i + 0.5) * slot, bottom)];
  });
}

// Every run a tick: the quiet ones low, the serious ones tall.
const HEIGHTS = { no_data: 0.12, insufficient_data: 0.12, stable: 0.28, data_drift: 0.62, prediction_drift: 0.8, performance_drop: 1 };

export function timeline(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(run.outcome, (counts.get(run.outcome) ?? 0) + 1);
  const told = [...counts].map(([outcome, n]) => `${n} ${words(outcome).toLowerCase()}`).join(", ");
  const chart = responsive(96, `${count(runs.length)} drift runs: ${told}.`, (width) => {
    const bottom = 76, first = runs[0].end, range = Math.max(1, runs.at(-1).end - first);
    const wide = Math.max(1.5, Math.min(10, (width / runs.length) * 0.7));
    const ticks = runs.map((run) => {
      const x = runs.length === 1 ? width / 2 : ((run.end - first) / range) * (width - wide);
      const tall = HEIGHTS[run.outcome] * 66;
      // By mouse only: the table of runs is the way by keyboard, and an image holds no links.
      return s("g", { class: "pick", onclick: () => { location.hash = `#/drift/${run.run_id}`; } },
        s("title", {}, `${day(run.end - 1)}: ${words(run.outcome)}${run.drifted ? `, ${run.drifted} drifted` : ""}, ${count(run.rows)} rows`),
        s("rect", { class: "hit", x: x - 1, y: 0, width: wide + 2, height: bottom }),
        s("rect", { class: "tick", "data-outcome": run.outcome, x, y: bottom - tall, width: wide, height: tall, rx: Math.min(1.5, wide / 3) }));
    });
    return [s("line", { class: "grid", x1: 0, x2: width, y1: bottom + 0.5, y2: bottom + 0.5 }), ticks, text(0, 92, day(first - 1)), runs.length > 1 ? text(width, 92, day(runs.at(-1).end - 1), "end") : null];
  });
  const legend = [...counts.keys()].sort((a, b) => HEIGHTS[a] - HEIGHTS[b]).map((o) => h("li", {}, h("span", { class: "swatch", "data-outcome": o }), `${words(o)} ${count(counts.get(o))}`));
  return [chart, h("ul", { class: "legend" }, legend)];
}

export function sparkline(points, threshold) {
  const width = 96, height = 24, top = Math.max(threshold * 1.2, ...points.map((p) => p.effect));
  const x = (i) => 3 + (points.length === 1 ? 0.5 : i / (points.length - 1)) * (width - 6);
  const y = (effect) => height - 3 - (effect / top) * (height - 6);
  const label = `${points.length} runs, latest effect ${fixed(points.at(-1).effect)}`;
  return s("svg", { class: "spark", width, height, role: "img", "aria-label": label },
    s("line", { class: "limit", x1: 0, x2: width, y1: y(threshold), y2: y(threshold) }),
    s("polyline", { class: "line", points: points.map((p, i) => `${x(i).toFixed(1)},${y(p.effect).toFixed(1)}`).join(" ") }),
    points.map((p, i) => (p.drifted || i === points.length - 1 ? s("circle", { class: p.drifted ? "alarm" : "dot", cx: x(i), cy: y(p.effect), r: 2.2 }) : null)));
}

// contributions: [[name, value in log-odds]]; bars to the right speak for the positive class.
export function contributions(entries) {
  const most = Math.max(1e-9, ...entries.map(([, value]) => Math.abs(value)));
  return h("ul", { class: "contributions" }, entries.map(([name, value]) => {
    const wide = (Math.abs(value) / most) * 50;
    return h("li", {}, h("span", { class: "name" }, name),
      s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
        s("rect", { class: value >= 0 ? "towards" : "against", x: value >= 0 ? 50 : 50 - wide, y: 1, width: wide, height: 8 }),
        s("line", { class: "grid", x1: 50, x2: 50, y1: 0, y2: 10 })),
      h("span", { class: "number" }, `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`));
  }));
}

// A probability from 0 to 1 with the threshold that decides.
export function gauge(probability, threshold) {
  return s("svg", { class: "gauge", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": `Probability ${percent(probability)}, threshold ${percent(threshold)}` },
    s("rect", { class: "rail", x: 0, y: 1, width: 100, height: 6 }),
    s("rect", { class: probability >= threshold ? "towards" : "against", x: 0, y: 1, width: 100 * probability, height: 6 }),
    s("rect", { class: "mark", x: 100 * threshold - 0.3, y: 0, width: 0.6, height: 8 }));
}
