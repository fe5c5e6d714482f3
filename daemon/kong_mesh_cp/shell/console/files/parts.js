// Parts that several screens are made of.

import { h } from "./view.js";

/** Announced to who cannot see it, and nothing more often than it changes. */
export function say(text) {
  const status = document.getElementById("status");
  if (status && status.textContent !== text) status.textContent = text;
}

export function copyButton(text, label) {
  const copy = async (_, button) => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      // A page that came over plain http from elsewhere has no clipboard: the text is selected.
      const shown = button.closest("div, td, dd, p, section");
      getSelection().selectAllChildren(shown);
      say("Selected: copy it with the keyboard");
    }
  };
  return h("button", { type: "button", class: "copy", "aria-label": label, onclick: copy }, "Copy");
}

/** A file made here, saved by the browser. */
export function saveFile(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/** A number that leads to what it counts. `bad`: it asks for attention. */
export const card = (title, number, { note = "", href, bad = false } = {}) =>
  h(href ? "a" : "div", { class: `card${bad ? " bad" : ""}`, href, key: title },
    h("span", { class: "title" }, title), h("strong", null, number), h("small", null, note));

/** Columns: [title, …]; rows: [[key, cell, …], …]. The first cell of a row names it. */
export const table = (caption, columns, rows) =>
  h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", null,
      h("caption", null, caption),
      h("thead", null, h("tr", null, columns.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", null, rows.map(([key, first, ...cells]) =>
        h("tr", { key }, h("th", { scope: "row" }, first), cells.map((cell) => h("td", null, cell)))))));

/** Pairs of a name and what it is; pairs without a value are left out. */
export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, ...values]) => h("div", { key: name }, h("dt", null, name), h("dd", null, values))));

const STATES = {
  online: ["●", "online"],
  partially: ["◐", "partially degraded"],
  offline: ["○", "offline"],
};

/** A state as a shape and a word. */
export const state = (name) =>
  h("span", { class: `state ${name}` }, h("span", { "aria-hidden": "true" }, STATES[name][0]), ` ${STATES[name][1]}`);

/** Why there is nothing to see. */
export function refusal(error) {
  const needed = error.status === 403 ? "You may not see this. " : "";
  return h("section", { class: "refusal", role: "alert", key: "refusal" },
    h("h2", null, error.title || "This cannot be shown"),
    h("p", null, needed, error.detail),
    error.hint && h("p", { class: "hint" }, error.hint));
}

export const nothing = (text) => h("p", { class: "nothing" }, text);
