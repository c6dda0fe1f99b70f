// Small charts inside tables and answers. Each says in words what it shows.

import { fixed, percent } from "./format.js";
import { h, s } from "./parts.js";

export function sparkline(points, threshold) {
  const width = 96,
    height = 24,
    top = Math.max(threshold * 1.2, ...points.map((p) => p.effect));
  const x = (i) => 3 + (points.length === 1 ? 0.5 : i / (points.length - 1)) * (width - 6);
  const y = (effect) => height - 3 - (effect / top) * (height - 6);
  const label = `${points.length} runs, latest effect ${fixed(points.at(-1).effect)}`;
  return s(
    "svg",
    { class: "spark", width, height, role: "img", "aria-label": label },
    s("line", { class: "limit", x1: 0, x2: width, y1: y(threshold), y2: y(threshold) }),
    s("polyline", {
      class: "line",
      points: points.map((p, i) => `${x(i).toFixed(1)},${y(p.effect).toFixed(1)}`).join(" "),
    }),
    points.map((p, i) =>
      p.drifted || i === points.length - 1
        ? s("circle", { class: p.drifted ? "alarm" : "dot", cx: x(i), cy: y(p.effect), r: 2.2 })
        : null,
    ),
  );
}

// contributions: [[name, value in log-odds]]; bars to the right speak for the positive class.
export function contributions(entries) {
  const most = Math.max(1e-9, ...entries.map(([, value]) => Math.abs(value)));
  return h(
    "ul",
    { class: "contributions" },
    entries.map(([name, value]) => {
      const wide = (Math.abs(value) / most) * 50;
      return h(
        "li",
        {},
        h("span", { class: "name" }, name),
        s(
          "svg",
          { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
          s("rect", {
            class: value >= 0 ? "towards" : "against",
            x: value >= 0 ? 50 : 50 - wide,
            y: 1,
            width: wide,
            height: 8,
          }),
          s("line", { class: "grid", x1: 50, x2: 50, y1: 0, y2: 10 }),
        ),
        h("span", { class: "number" }, `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`),
      );
    }),
  );
}

// A probability from 0 to 1 with the threshold that decides.
export function gauge(probability, threshold) {
  return s(
    "svg",
    {
      class: "gauge",
      viewBox: "0 0 100 8",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `Probability ${percent(probability)}, threshold ${percent(threshold)}`,
    },
    s("rect", { class: "rail", x: 0, y: 1, width: 100, height: 6 }),
    s("rect", {
      class: probability >= threshold ? "towards" : "against",
      x: 0,
      y: 1,
      width: 100 * probability,
      height: 6,
    }),
    s("rect", { class: "mark", x: 100 * threshold - 0.3, y: 0, width: 0.6, height: 8 }),
  );
}
