// The license: limit and use, until when, whether a restart would survive, use by day.

import { lines } from "./banner.js";
import { chart, days, largest, MARGIN, RANGES } from "./usage.js";
import { csv, instant, since } from "./words.js";
import { card, copyButton, facts, nothing, saveFile, say, table } from "./parts.js";
import { post } from "./api.js";
import { h } from "./view.js";

export const title = "License";

export const load = async () => ({}); // every screen has the license anyway

export function view(_, { license, now, parameters, go, refresh }) {
  if (!license) return nothing("The license is not known yet.");
  const isFull = "warnings" in license;
  return [
    h("div", { class: "cards", key: "cards" },
      card("Seats", `${license.activeDataplaneProxies} of ${license.allowedDataplaneProxies}`, {
        note: seatsNote(license), bad: license.activeDataplaneProxies > license.allowedDataplaneProxies }),
      card("Ends", instant(license.expirationDate).slice(0, 10), {
        note: isFull ? `${license.daysLeft} days left` : "", bad: Date.parse(license.expirationDate) <= now }),
      isFull && card("A restart now", license.restartSafe ? "succeeds" : "is refused", {
        note: license.restartSafe ? "as far as it can be told" : license.restartError?.code, bad: !license.restartSafe })),
    isFull ? full(license, { now, parameters, go, refresh }) : h("p", { class: "nothing", key: "less" },
      "Whose license it is, its use by day and what to do about warnings is for administrators: sign in, or come from the machine itself."),
  ];
}

const seatsNote = ({ activeDataplaneProxies: active, allowedDataplaneProxies: allowed, demo }) => {
  if (active > allowed) return `${active - allowed} over${demo ? "" : ", nobody is turned away"}`;
  return `${allowed - active} free${demo ? ", then proxies are turned away" : ""}`;
};

function full(license, { now, parameters, go, refresh }) {
  return [
    h("div", { class: "columns", key: "facts" },
      h("section", null, h("h2", null, license.demo ? "The pre-bundled license" : license.customer),
        seatBar(license),
        facts([
          ["Product", license.product], ["Kind", kind(license)],
          ["Created", license.creationDate], ["Ends", instant(license.expirationDate)],
          ["Id", license.id, license.id && " ", license.id && copyButton(license.id, "Copy the license's id")].filter(Boolean),
          ["License key", license.licenseKeyLast4 && `…${license.licenseKeyLast4}`], ["Signed by", license.signedBy],
          ["Source", license.source], ["Other sources", license.otherSources.join(", ")],
          ["Keyring", license.keyring], ["Not used by this version", license.unusedFields.join(", ")],
        ])),
      restart(license, now, refresh)),
    conditions(license, now),
    usage(license, now, parameters, go),
    counts(license),
    timeline(license),
  ];
}

const kind = (license) => {
  if (license.demo) return "pre-bundled";
  return license.test ? "TEST: signed by a key for tests" : "issued";
};

function seatBar({ activeDataplaneProxies: active, allowedDataplaneProxies: allowed }) {
  const most = Math.max(active, allowed, 1);
  const label = `${active} of ${allowed} seats are taken`;
  return h("svg", { class: "bar", viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": label },
    h("rect", { class: "all", width: 100, height: 6 }),
    h("rect", { class: "taken", width: (100 * Math.min(active, allowed)) / most, height: 6 }),
    active > allowed && h("rect", { class: "over", x: (100 * allowed) / most, width: (100 * (active - allowed)) / most, height: 6 }));
}

function restart(license, now, refresh) {
  const error = license.restartError;
  const pending = license.pendingError;
  const reread = async () => {
    try {
      const outcome = await post("/license/reload");
      say(`The sources were read again: ${outcome.result}`);
    } catch (refused) {
      say(refused.message);
    }
    refresh();
  };
  return h("section", null, h("h2", null, "Would a restart succeed?"),
    h("p", { class: license.restartSafe ? "good" : "bad" }, license.restartSafe ? "✔ Yes." : "✖ No."),
    error && h("p", null, h("strong", null, error.code), ": ", error.message, ". ", h("span", { class: "hint" }, error.hint), " ",
      copyButton(error.hint, "Copy what to do before a restart")),
    pending && h("p", null, `What the source holds has not been taken over since ${instant(pending.since)} (${since(pending.since, now)}): `,
      h("strong", null, pending.code)),
    h("p", null, h("code", null, "kong-mesh-cp license check-restart"), " ", copyButton("kong-mesh-cp license check-restart", "Copy the command")),
    h("button", { type: "button", onclick: reread }, "Read the sources again"));
}

function conditions(license, now) {
  const all = lines(license, now);
  if (all.length === 0) return h("p", { class: "good", key: "conditions" }, "✔ There is no warning about the license.");
  return h("section", { key: "conditions" },
    table("Warnings", ["What", "Since", "What ends it"], all.map((line) =>
      [line.code, line.title, instant(line.since), [`${line.message}. `, line.hint]])));
}

function usage(license, now, parameters, go) {
  const range = RANGES.find(({ name }) => name === parameters.get("days")) ?? RANGES[0];
  const shown = days(license, range, now);
  const most = largest(shown);
  const name = `license-usage-${shown.at(-1).day}`;
  const row = ({ day, seats }) => [day, seats, license.allowedDataplaneProxies];
  return h("section", { key: "usage" },
    h("h2", null, "Most seats held at once, by day"),
    h("div", { class: "tools", role: "group", "aria-label": "Days shown" },
      RANGES.map((each) => h("button", { type: "button", key: each.name, "aria-pressed": String(each === range), onclick: () => go({ days: each.name }) }, each.title)),
      h("button", { type: "button", onclick: () => saveFile(`${name}.csv`, "text/csv", [["day", "seats", "allowed"], ...shown.map(row)].map(csv).join("")) }, "CSV"),
      h("button", { type: "button", onclick: () => saveFile(`${name}.json`, "application/json", `${JSON.stringify({ allowed: license.allowedDataplaneProxies, days: shown }, null, 1)}\n`) }, "JSON")),
    chart(shown, license.allowedDataplaneProxies),
    h("p", { id: "suggestion" }, most.seats === 0
      ? "No seat was held in these days."
      : `At most ${most.seats} on ${most.day}. The next license should allow ${suggested(license, most)} or more (a tenth above the most).`),
    h("details", null, h("summary", null, "As a table"),
      table("Seats by day", ["Day", "Most seats", "Allowed now"], shown.toReversed().map((each) => [each.day, ...row(each)]))));
}

const suggested = (license, most) => Math.ceil(Math.max(most.seats, license.activeDataplaneProxies) * MARGIN);

function counts({ seats }) {
  const quota = (mesh) => seats.quotas[mesh] ?? seats.quotas["*"] ?? "";
  const rows = (counted) => Object.entries(counted);
  return h("section", { key: "counts" }, h("h2", null, "Seats now"),
    h("div", { class: "columns" },
      rows(seats.byMesh).length > 0
        ? table("By mesh", ["Mesh", "Seats", "Quota"], rows(seats.byMesh).map(([mesh, number]) =>
          [mesh, h("a", { href: `#/proxies?mesh=${encodeURIComponent(mesh)}` }, mesh), number, quota(mesh)]))
        : nothing("No seat is held here."),
      rows(seats.byZone).length > 0 && table("By zone", ["Zone", "Seats"], rows(seats.byZone).map(([zone, number]) => [zone, zone, number]))),
    facts([["Kept for proxies from before a restart", seats.reserved], ["Held through other control planes", seats.elsewhere]]));
}

function timeline({ changes }) {
  return h("section", { key: "timeline" },
    changes.length > 0
      ? table("What came of the sources since the start", ["When", "What", "Why", "On whose account"], changes.toReversed().map((change, index) =>
        [`${change.at} ${index}`, instant(change.at), change.result, [change.code && h("strong", null, `${change.code}: `), change.message], change.cause]))
      : nothing("The license has not changed since the control plane started."));
}
