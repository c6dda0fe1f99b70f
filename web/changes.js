// @ts-check
// What somebody who signed in does: a rollback, the answer to a model that waits, a label.

import { call, REFUSED } from "./api.js";
import { failure, h, report as reportFailure, say } from "./parts.js";

const LONGEST_REASON = 500; // domain.api.change_routes.LONGEST_REASON; a test compares them
const UUID = "\\s*[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\\s*";

/** Send a change and say below the form what came of it; `buttons` can't be used meanwhile. */
async function send(path, body, { signal, buttons, result, done }) {
  for (const button of buttons) button.disabled = true;
  try {
    await call(path, { method: "POST", body, signal });
    result.replaceChildren(h("p", { class: "note" }, done));
    say(done);
  } catch (/** @type {any} */ error) {
    if (signal.aborted) return;
    if (error.status === REFUSED) return reportFailure(error);
    result.replaceChildren(failure(error));
    for (const button of buttons) button.disabled = false;
  }
}

/**
 * A form that says what turned out to be true of one prediction. It can be sent again: of several
 * labels the one observed last counts.
 */
export function labelForm(target, signal) {
  const typing = { type: "text", autocomplete: "off", spellcheck: "false", required: true };
  const id = h("input", { id: "labelled", name: "prediction_id", ...typing, pattern: UUID, title: "36 characters" });
  const outcome = h(
    "select",
    { id: "outcome", name: target, required: true },
    h("option", { value: "" }, "choose"),
    h("option", { value: "true" }, "yes"),
    h("option", { value: "false" }, "no"),
  );
  const button = h("button", { type: "submit" }, "Send label");
  const result = h("div", { "aria-live": "polite" });
  const form = h(
    "form",
    { class: "inline-form" },
    h("label", { for: "labelled" }, "Prediction id"),
    id,
    h("label", { for: "outcome" }, target),
    outcome,
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { prediction_id: id.value.trim(), [target]: outcome.value === "true" };
    await send("people/labels", body, { signal, buttons: [button], result, done: "Accepted; the next run counts it." });
    button.disabled = false;
  });
  return h("div", { class: "body" }, form, result);
}

/** A button that lets a version serve again, once it is confirmed. */
export function rollBack(version, signal) {
  const result = h("div", { "aria-live": "polite" });
  const ask = h("button", { type: "button" }, `Roll back to ${version}`);
  const confirm = h("button", { type: "button", hidden: true }, `Yes, let ${version} serve`);
  ask.addEventListener("click", () => {
    ask.hidden = true;
    confirm.hidden = false;
    confirm.focus();
  });
  const done = "The rollback has started. It takes a minute; load the page again to see it in the ledger.";
  const options = { signal, buttons: [confirm], result, done };
  confirm.addEventListener("click", () => send("people/rollbacks", { version }, options));
  return h("div", { class: "body" }, ask, confirm, result);
}

/** A form that answers a model that waits: approved, or rejected with a reason. */
export function answer(version, signal) {
  const id = `reason-${version}`;
  const reason = h("input", { id, name: "reason", type: "text", maxlength: LONGEST_REASON, autocomplete: "off" });
  const approve = h("button", { type: "button" }, "Approve");
  const reject = h("button", { type: "submit", class: "quiet" }, "Reject");
  const result = h("div", { "aria-live": "polite" });
  const label = h("label", { for: id }, "Reason, to reject it");
  const form = h("form", { class: "inline-form" }, label, reason, reject, approve);
  const options = { signal, buttons: [approve, reject], result };
  approve.addEventListener("click", () =>
    send("people/approvals", { version, approved: true }, { ...options, done: "Approved; it serves in a minute." }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = { version, approved: false, reason: reason.value.trim() };
    send("people/approvals", body, { ...options, done: "Rejected; the champion stays." });
  });
  return h("div", { class: "body" }, form, result);
}
