// @ts-check
// Routes, the API key or the sign-in, and what happens when a page loads or fails.

import { Failure, hasLogin, key, REFUSED } from "./api.js";
import { card, deployment, failure, find, h, operator, say, waiting } from "./parts.js";

const signIn = hasLogin ? await import("./sign-in.js") : null;

// Pages by name: first the list, then the page of one thing. A module is loaded when its page is
// first opened, which keeps the first visit to few requests.
const PAGES = {
  overview: [async () => (await import("./overview.js")).overview],
  drift: [async () => (await import("./runs.js")).runs, async () => (await import("./drift.js")).run],
  trends: [async () => (await import("./trends.js")).trends],
  incidents: [async () => (await import("./incidents.js")).incidents],
  health: [async () => (await import("./health.js")).health],
  predictions: [
    async () => (await import("./predictions.js")).predictions,
    async () => (await import("./prediction.js")).prediction,
  ],
  jobs: [async () => (await import("./jobs.js")).jobs],
  models: [async () => (await import("./models.js")).models, async () => (await import("./models.js")).model],
};
const main = find("#main", HTMLElement);
const forget = find("#forget", HTMLButtonElement);
let current = new AbortController();

/** The page that the address names, and its parameter. */
function route() {
  const [, name = "", ...rest] = location.hash.replace(/^#/, "").split("/");
  const known = Object.hasOwn(PAGES, name) ? name : "overview";
  const [list, one] = PAGES[known];
  let parameter = rest.join("/");
  try {
    parameter = decodeURIComponent(parameter);
  } catch {
    // A damaged link: the API will answer that there is no such thing.
  }
  return { name: known, load: (parameter && one) || list, parameter };
}

async function loadModule(load) {
  try {
    return await load();
  } catch (error) {
    console.error(error);
    const advice = "Check your network connection, then load the page again.";
    // A browser may remember that a module failed; only a reload asks for it again.
    throw new Failure(0, "A part of the dashboard did not arrive", advice, [], () => location.reload());
  }
}

function show(title, ...content) {
  document.title = `${title} · ${deployment()}`;
  main.replaceChildren(...content);
}

/** @param {Failure | undefined} problem why the key is asked for again */
function askForKey(problem = undefined) {
  current.abort();
  current = new AbortController();
  forget.hidden = true;
  const typing = { type: "password", autocomplete: "off", spellcheck: "false", required: true };
  const input = h("input", { id: "key", ...typing, "aria-describedby": "key-note" });
  const button = h("button", { type: "submit" }, "Open");
  const result = h("div", { "aria-live": "polite" }, problem ? failure(problem) : null);
  const form = h("form", { class: "key-form" }, h("label", { for: "key" }, "API key"), input, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    key.set(input.value.trim());
    button.disabled = true;
    result.replaceChildren(waiting("the dashboard"));
    await open();
  });
  const note = h(
    "p",
    { class: "note", id: "key-note" },
    "The key stays in this tab and is forgotten when you close it. The command ",
    h("code", {}, operator("open")),
    " prints it, or says where to find it.",
  );
  const content = card("Your API key", {}, form, result, note);
  show("Key", h("div", { class: "gate" }, h("h1", {}, deployment()), content));
  input.focus();
}

/** @param {Failure | undefined} problem why somebody has to sign in again */
function askToSignIn(problem = undefined) {
  current.abort();
  current = new AbortController();
  forget.hidden = true;
  const button = h("button", { type: "button", onclick: () => signIn?.begin() }, "Sign in");
  const result = h("div", { "aria-live": "polite" }, problem ? failure(problem) : null);
  const note = h(
    "p",
    { class: "note" },
    "Your sign-in stays in this tab and ends after an hour. Who may sign in is decided with ",
    h("code", {}, operator("user add")),
    ".",
  );
  show("Sign in", h("div", { class: "gate" }, h("h1", {}, deployment()), card("Sign in", {}, button, result, note)));
  button.focus();
}

function rejectKey() {
  key.forget();
  const advice = "Check it for missing characters, or ask the operator for a valid one.";
  askForKey(new Failure(403, "This key was not accepted", advice));
}

function rejectSignIn() {
  key.forget();
  askToSignIn(new Failure(401, "Your sign-in has ended", "Sign in again to go on where you were."));
}

function markCurrent(name) {
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("#nav a"))) {
    if (link.hash === `#/${name}`) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone the last ones are out of sight
    } else link.removeAttribute("aria-current");
  }
}

async function open() {
  if (!key.get()) return signIn ? askToSignIn() : askForKey();
  current.abort();
  const own = (current = new AbortController());
  const { name, load, parameter } = route();
  markCurrent(name);
  const spinner = setTimeout(() => {
    if (!own.signal.aborted) main.replaceChildren(waiting(name));
  }, 200);
  try {
    const draw = await loadModule(load);
    const { title, content, busy } = await draw({ signal: own.signal, parameter });
    clearTimeout(spinner);
    if (own.signal.aborted) return;
    show(title, content);
    forget.hidden = false;
    say(`${title} loaded`);
    await busy;
  } catch (error) {
    clearTimeout(spinner);
    fail(error, own);
  }
}

/**
 * @param {any} error
 * @param {AbortController} page that the error belongs to; after leaving it, nobody needs to know
 */
function fail(error, page = current) {
  if (page.signal.aborted) return;
  if (error.status === REFUSED) return signIn ? rejectSignIn() : rejectKey();
  if (!(error instanceof Failure)) console.error(error);
  forget.hidden = !key.get();
  show("Problem", failure(error, error.retry ?? open));
}

/** Finish a sign-in that is under way, then open the page. */
async function start() {
  if (!signIn) return open();
  try {
    await signIn.finish();
  } catch (/** @type {any} */ error) {
    return askToSignIn(new Failure(401, "You are not signed in", error.message));
  }
  forget.textContent = `Sign out ${signIn.person()}`;
  return open();
}

addEventListener("hashchange", async () => {
  scrollTo(0, 0);
  await open();
  main.focus({ preventScroll: true });
});
addEventListener("circle-failure", (event) => fail(/** @type {CustomEvent} */ (event).detail));
forget.addEventListener("click", () => {
  if (signIn) return signIn.signOut();
  key.forget();
  askForKey();
});
find(".brand img", HTMLImageElement).src = find("link[rel=icon]", HTMLLinkElement).href;
find("#skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
start();
