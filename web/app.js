// Routes, the key, and what happens when a page loads or fails.

import { key, Failure } from "./api.js";
import { h, say } from "./dom.js";
import { run, runs } from "./drift.js";
import { model, models } from "./models.js";
import { overview } from "./overview.js";
import { card, failure, waiting } from "./parts.js";
import { predictions } from "./predictions.js";

const PAGES = { overview: [overview], drift: [runs, run], predictions: [predictions], models: [models, model] };
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

function show(title, ...content) {
  document.title = `${title} · mlops-circle`;
  main.replaceChildren(...content);
}

function askForKey(problem) {
  current.abort();
  current = new AbortController();
  forget.hidden = true;
  const input = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "key-note" });
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
  show("Key", h("div", { class: "gate" }, h("h1", {}, "mlops-circle"), card("Your API key", {},
    form, told, h("p", { class: "note", id: "key-note" }, "It stays in this tab and is gone when the tab closes. The operator finds it in the API's usage plan; ", h("code", {}, "python -m ops open"), " prints it for this deployment."))));
  input.focus();
}

function refused(error) {
  key.forget();
  askForKey(new Failure(403, "This key was not accepted", "Check it for missing characters, or ask the operator for a valid one."));
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
  const patience = setTimeout(() => { if (!mine.signal.aborted) main.replaceChildren(waiting(name)); }, 200);
  try {
    const { title, content, busy } = await page({ signal: mine.signal, parameter });
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
  show("Problem", failure(error, open));
}

addEventListener("hashchange", async () => {
  scrollTo(0, 0);
  await open();
  main.focus({ preventScroll: true });
});
addEventListener("circle-failure", ({ detail }) => fail(detail));
forget.addEventListener("click", () => { key.forget(); askForKey(); });
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
open();
