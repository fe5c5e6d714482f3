// What whoever is on call should know of the license, on every screen.

import { counted, DAY, instant, since } from "./words.js";
import { h } from "./view.js";
import { copyButton } from "./parts.js";

export const LINES_SHOWN = 2;
const KEPT = "hidden-warnings"; // the name in this browser's storage
const WARNING_DAYS = 30; // less than these are left: docs/license.md
const BUNDLED_WARNING_DAYS = 14;
const THRESHOLDS = [30, 14, 7, 3, 1, 0]; // a warning that was hidden comes back at the next of them
const LEVELS = {
  "restart-not-safe": "bad",
  "not-taken-over": "bad",
  expired: "bad",
  "keyring-override": "note",
};
const ORDER = ["bad", "warning", "note"];
const MARKS = { bad: "✖", warning: "▲", note: "●" };
const WORDS = { bad: "Problem", warning: "Warning", note: "Note" };

/** Every line there is, worst first: {code, level, title, message, hint, since, key}. */
export function lines(license, now) {
  if (!license) return [];
  const found = "warnings" in license ? ofAdministrators(license) : ofEverybody(license, now);
  const threshold = THRESHOLDS.findLast((days) => (license.daysLeft ?? daysLeft(license, now)) <= days) ?? "";
  const made = found.map((line) => ({
    ...line,
    level: LEVELS[line.code] ?? "warning",
    key: `${line.code} ${license.expirationDate} ${threshold}`,
  }));
  return made.sort((one, other) => ORDER.indexOf(one.level) - ORDER.indexOf(other.level));
}

function ofAdministrators(license) {
  const found = [];
  const { restartError, pendingError } = license;
  const sameCause = restartError && pendingError && restartError.code === pendingError.code;
  if (!license.restartSafe && restartError) {
    found.push({ ...restartError, code: "restart-not-safe", title: `Restart not safe: ${restartError.code}`, since: sameCause ? pendingError.since : "" });
  }
  if (pendingError && !sameCause) {
    found.push({ ...pendingError, code: "not-taken-over", title: `Not taken over: ${pendingError.code}` });
  }
  for (const warning of license.warnings) {
    // That it has ended is why a restart is not safe: one line says both.
    if (warning.code === "expired" && restartError?.code === "license-expired") continue;
    found.push({ ...warning, title: warning.code });
  }
  return found;
}

/** Of the four documented fields alone. */
function ofEverybody(license, now) {
  const found = [];
  const days = daysLeft(license, now);
  const ends = instant(license.expirationDate);
  const hint = "An administrator renews it: sign in for what to do.";
  if (Date.parse(license.expirationDate) <= now) {
    found.push({ code: "expired", title: "expired", message: `the license ended at ${ends}`, hint });
  } else if (days < (license.demo ? BUNDLED_WARNING_DAYS : WARNING_DAYS)) {
    found.push({ code: "expires-soon", title: "expires-soon", message: `the license has ${counted(days, "day")} left and ends at ${ends}`, hint });
  }
  if (license.activeDataplaneProxies > license.allowedDataplaneProxies) {
    const message = `${license.activeDataplaneProxies} data plane proxies are connected, and the license allows ${license.allowedDataplaneProxies}`;
    found.push({ code: "over-limit", title: "over-limit", message, hint });
  }
  return found;
}

const daysLeft = (license, now) => Math.max(0, Math.floor((Date.parse(license.expirationDate) - now) / DAY));

function hiddenKeys() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** Hide a warning in this browser, until the license's end or the days left say something new. */
function hide(line) {
  const others = hiddenKeys().filter((key) => key.split(" ")[0] !== line.code);
  localStorage.setItem(KEPT, JSON.stringify([...others, line.key]));
}

/** `isOpen`: all lines are shown; `change` asks for another look after something was done here. */
export function banner(license, now, { isOpen, change }) {
  const hidden = new Set(hiddenKeys());
  const all = lines(license, now).filter((line) => line.level !== "warning" || !hidden.has(line.key));
  if (all.length === 0) return null;
  const shown = isOpen ? all : all.slice(0, LINES_SHOWN);
  const more = all.length - LINES_SHOWN;
  return h("section", { class: "banner", "aria-label": "License", key: "banner" },
    shown.map((line) => oneLine(line, now, change)),
    more > 0 && h("button", { type: "button", class: "more", "aria-expanded": String(isOpen), onclick: () => change({ isOpen: !isOpen }) },
      isOpen ? "fewer" : `${more} more`));
}

function oneLine(line, now, change) {
  return h("div", { class: `line ${line.level}`, key: line.code, "data-code": line.code },
    h("span", { class: "mark", "aria-hidden": "true" }, MARKS[line.level]),
    h("p", null,
      h("strong", null, h("span", { class: "spoken" }, `${WORDS[line.level]}: `), line.title), " ",
      line.message, ". ",
      h("span", { class: "hint" }, line.hint),
      line.since && h("small", null, ` since ${instant(line.since)} (${since(line.since, now)})`)),
    line.hint && copyButton(line.hint, `Copy what to do about ${line.title}`),
    h("a", { href: "#/license" }, "License"),
    line.level === "warning" && h("button", { type: "button", "aria-label": `Hide ${line.title}`, onclick: () => { hide(line); change({}); } }, "Hide"));
}
