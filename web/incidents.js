// @ts-check
// Incidents: open and past ones, who knows of them, and what the retrain guard decided.

import { call, REFUSED } from "./api.js";
import { day, moment } from "./format.js";
import { badge, card, command, empty, failure, h, report as reportFailure, say, table } from "./parts.js";

const LONGEST_NOTE = 200; // domain.drift.acknowledgement.LONGEST_NOTE; a test compares them

/** The form that says that somebody knows of an open incident. */
function acknowledgeForm(incident, signal, done) {
  const id = `note-${incident.kind}`;
  const note = h("input", { id, name: "note", type: "text", maxlength: LONGEST_NOTE, autocomplete: "off" });
  const button = h("button", { type: "submit" }, "Acknowledge");
  const result = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "inline-form" }, h("label", { for: id }, "Note"), note, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const body = { kind: incident.kind, opened_at: incident.opened_at, note: note.value.trim() };
    try {
      done(await call("monitoring/acknowledgements", { method: "POST", body, signal }));
      say("Acknowledged");
    } catch (/** @type {any} */ error) {
      if (signal.aborted) return;
      if (error.status === REFUSED) return reportFailure(error);
      result.replaceChildren(failure(error));
      button.disabled = false;
    }
  });
  const says =
    "Only a more serious finding sends another mail then, and it names who acknowledged. " +
    "The note is stored; write no patient's value into it.";
  return h("div", {}, h("p", { class: "note" }, says), form, result);
}

const acknowledged = (record) =>
  `Acknowledged ${moment(record.acknowledged_at)} UTC by ${record.actor}${record.note ? `: ${record.note}` : "."}`;

function openCard(incident, data, signal) {
  const columns = incident.drifted.length ? `: ${incident.drifted.join(", ")}` : "";
  const since = `since ${day(incident.opened_at - 1)}${columns}`;
  const place = h("div", { class: "body" });
  const show = (record) => place.replaceChildren(h("p", {}, acknowledged(record)));
  if (incident.acknowledgement) show(incident.acknowledgement);
  else place.replaceChildren(acknowledgeForm(incident, signal, show), command(data.acknowledge_command));
  const title = incident.kind === "daily" ? "Open incident" : "Open incident of the last four weeks";
  return card(title, {}, h("p", {}, badge(incident.outcome), " ", since), place);
}

/** What the guard decided while an incident was open. */
const decided = (decisions, incident) =>
  decisions.filter(
    ({ decided_at: at }) => at >= incident.opened_at && (incident.closed_at === null || at <= incident.closed_at),
  );

const incidentColumns = (decisions) => [
  { title: "Opened", cell: (i) => day(i.opened_at - 1) },
  { title: "Closed", cell: (i) => (i.closed_at === null ? "open" : day(i.closed_at - 1)) },
  { title: "Found by", cell: (i) => (i.kind === "daily" ? "a day" : "four weeks") },
  { title: "Worst outcome", cell: (i) => badge(i.outcome) },
  { title: "Drifted", prose: true, cell: (i) => i.drifted.join(", ") || "–" },
  { title: "Acknowledged", prose: true, cell: (i) => (i.acknowledgement ? acknowledged(i.acknowledgement) : "–") },
  {
    title: "Retrain guard",
    prose: true,
    cell: (i) =>
      decided(decisions, i)
        .map((d) => `${moment(d.decided_at)}: ${d.execution ? "started a training" : "started nothing"}`)
        .join("; ") || "–",
  },
];

const decisionColumns = [
  { title: "Decided (UTC)", cell: (d) => moment(d.decided_at) },
  { title: "Did", cell: (d) => (d.execution ? "started a training" : d.suggestion ? "suggests one" : "nothing") },
  { title: "Reason", prose: true, cell: (d) => d.reason },
  {
    title: "About",
    cell: (d) => (d.run_ids.length ? h("a", { href: `#/drift/${d.run_ids[0]}` }, "the run") : "–"),
  },
];

export async function incidents({ signal }) {
  const data = await call("monitoring/incidents", { signal });
  const open = data.incidents.filter((incident) => incident.closed_at === null);
  const quiet = "A scheduled drift run that finds drift opens one and sends a mail; two days without drift close it.";
  const history = data.incidents.length
    ? table("Incidents", incidentColumns(data.decisions), data.incidents)
    : empty("No incident yet", quiet);
  const guard = data.decisions.length
    ? table("Decisions", decisionColumns, data.decisions)
    : empty("No decision yet", "The guard decides whenever an incident opens or becomes worse.");
  return {
    title: "Incidents",
    content: h(
      "div",
      { class: "stack" },
      h("h1", {}, "Incidents"),
      open.map((incident) => openCard(incident, data, signal)),
      card("History", {}, history),
      card("Decisions of the retrain guard", {}, guard),
    ),
  };
}
