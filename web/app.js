// Routes, the key, and what happens when a page loads or fails.

import { key, Failure } from "./api.js";
import { card, failure, h, operator, say, waiting } from "./parts.js";

// A page's module comes when it is first looked at: each file is one more request of a first visit.
const PAGES = {
  __proto__: null,
  overview: [async () => (await import("./overview.js")).overview],
  drift: [async () => (await import("./runs.js")).runs, async () => (await import("./drift.js")).run],
  predictions: [async () => (await import("./predictions.js")).predictions],
  models: [async () => (await import("./models.js")).models, async () => (await import("./models.js")).model],
};
const main = document.getElementById("main");
const forget = document.getElementById("forget");
let current = new AbortController();

function route() {
  const [, name = "", ...rest] = location.hash.replace(/^#/, "").split("/");
  const pages = PAGES[name] ?? PAGES.overview;
  let parameter = rest.join("/");
  try {
    parameter = decodeURIComponent(parameter);
  } catch {
    // A damaged link: the API will say that there is no such thing.
  }
  return { name: PAGES[name] ? name : "overview", page: (parameter && pages[1]) || pages[0], parameter };
}

async function module(page) {
  try {
    return await page();
  } catch (error) {
    console.error(error);
    const told = new Failure(
      0,
      "A part of the dashboard did not arrive",
      "Check the network connection, then load the page again.",
    );
    // A browser may remember that a module failed: only a new page asks for it again.
    throw Object.assign(told, { retry: () => location.reload() });
  }
}

function show(title, ...content) {
  document.title = `${title} · mlops-circle`;
  main.replaceChildren(...content);
}

function askForKey(problem) {
  current.abort();
  current = new AbortController();
  forget.hidden = true;
  const input = h("input", {
    id: "key",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "key-note",
  });
  const button = h("button", { type: "submit" }, "Open");
  const told = h("div", { "aria-live": "polite" }, problem ? failure(problem) : null);
  const form = h("form", { class: "key-form" }, h("label", { for: "key" }, "API key"), input, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    key.set(input.value.trim());
    button.disabled = true;
    told.replaceChildren(waiting("the dashboard"));
    await open();
  });
  show(
    "Key",
    h(
      "div",
      { class: "gate" },
      h("h1", {}, "mlops-circle"),
      card(
        "Your API key",
        {},
        form,
        told,
        h(
          "p",
          { class: "note", id: "key-note" },
          "It stays in this tab and is gone when the tab closes. The operator's command ",
          h("code", {}, operator("open")),
          " prints it, or says where it is.",
        ),
      ),
    ),
  );
  input.focus();
}

function refused(error) {
  key.forget();
  askForKey(
    new Failure(
      403,
      "This key was not accepted",
      "Check it for missing characters, or ask the operator for a valid one.",
    ),
  );
  say(error.title);
}

async function open() {
  if (!key.get()) return askForKey();
  current.abort();
  const mine = (current = new AbortController());
  const { name, page, parameter } = route();
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const patience = setTimeout(() => {
    if (!mine.signal.aborted) main.replaceChildren(waiting(name));
  }, 200);
  try {
    const draw = await module(page);
    const { title, content, busy } = await draw({ signal: mine.signal, parameter });
    clearTimeout(patience);
    if (mine.signal.aborted) return;
    show(title, content);
    forget.hidden = false;
    say(`${title} loaded`);
    await busy;
  } catch (error) {
    clearTimeout(patience);
    fail(error, mine);
  }
}

function fail(error, mine = current) {
  if (mine.signal.aborted) return;
  if (error.status === 403) return refused(error);
  if (!(error instanceof Failure)) console.error(error);
  forget.hidden = !key.get();
  show("Problem", failure(error, error.retry ?? open));
}

addEventListener("hashchange", async () => {
  scrollTo(0, 0);
  await open();
  main.focus({ preventScroll: true });
});
addEventListener("circle-failure", ({ detail }) => fail(detail));
forget.addEventListener("click", () => {
  key.forget();
  askForKey();
});
document.querySelector(".brand img").src = document.querySelector("link[rel=icon]").href;
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
open();
