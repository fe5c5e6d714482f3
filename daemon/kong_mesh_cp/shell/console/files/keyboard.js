// The console by keys alone.

import { h } from "./view.js";

const GO_MS = 1500; // until `g` alone means nothing any more
const SCREENS = { o: "/", m: "/meshes", p: "/proxies", l: "/license" };
const KEYS = [
  ["g o", "Overview"], ["g m", "Meshes"], ["g p", "Proxies"], ["g l", "License"], ["/", "the filter"],
  ["j k", "next and previous row"], ["Enter", "open the row"], [".", "pause, or go on"], ["?", "these keys"],
];

let goUntil = 0;

export const help = () =>
  h("dialog", { id: "keys", key: "keys", "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    h("dl", { class: "facts" }, KEYS.map(([key, words]) => h("div", { key }, h("dt", null, h("kbd", null, key)), h("dd", null, words)))),
    h("button", { type: "button", onclick: () => document.getElementById("keys").close() }, "Close"));

export function keys({ pause }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea, select, dialog")) return;
    if (performance.now() < goUntil && event.key in SCREENS) {
      location.hash = SCREENS[event.key];
      goUntil = 0;
      event.preventDefault();
      return;
    }
    goUntil = event.key === "g" ? performance.now() + GO_MS : 0;
    const act = { "/": filter, j: () => row(1), k: () => row(-1), ".": pause, "?": () => document.getElementById("keys").showModal() }[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
}

const filter = () => document.getElementById("filter")?.focus();

function row(step) {
  const links = [...document.querySelectorAll("main tbody th a")];
  const at = links.indexOf(document.activeElement);
  links.at(Math.max(0, Math.min(links.length - 1, at + step)))?.focus();
}
