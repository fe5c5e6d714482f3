// Who is asking, and signing in with a user token.

import { get, isSignedIn, keepToken, tokenEnd } from "./api.js";
import { duration, instant } from "./words.js";
import { h } from "./view.js";
import { say } from "./parts.js";

const ENDS_SOON_MS = 10 * 60_000;
const TOKEN_BYTES_MAX = 64 * 1024; // of a file that is no token
const form = { reason: "" };

const element = () => document.getElementById("sign-in");

/** Ask for a token, and say why. */
export function open(reason = "") {
  form.reason = reason;
  const dialog_ = element();
  if (!dialog_) return;
  dialog_.querySelector("#sign-in-reason").textContent = reason;
  if (!dialog_.open) dialog_.showModal();
}

export function whoButton(who) {
  const end = tokenEnd();
  const left = end === undefined ? Number.POSITIVE_INFINITY : end - Date.now();
  const ends = left < ENDS_SOON_MS ? `, token ends in ${duration(Math.max(0, left))}` : "";
  const words = who ? `${shortName(who)}${ends}` : "…";
  return isSignedIn()
    ? h("button", { type: "button", class: left < ENDS_SOON_MS ? "who bad" : "who", key: "who", title: end && `The token ends ${instant(new Date(end).toISOString())}`, onclick: leave }, `${words} · sign out`)
    : h("button", { type: "button", class: "who", key: "who", onclick: () => open() }, `${words} · sign in`);
}

function shortName({ name, groups }) {
  if (name === "mesh-system:admin") return isSignedIn() ? "administrator" : "administrator (this machine)";
  return name === "mesh-system:anonymous" || groups.includes("mesh-system:unauthenticated") ? "anonymous" : name;
}

function leave() {
  keepToken("", false);
  say("Signed out");
  location.reload();
}

/** `done` is called once a token is believed. */
export function dialog(done) {
  const isPlain = location.protocol === "http:" && !["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return h("dialog", { id: "sign-in", key: "sign-in", "aria-labelledby": "sign-in-title" },
    h("form", { method: "dialog", onsubmit: (event) => submitted(event, done) },
      h("h2", { id: "sign-in-title" }, "Sign in"),
      h("p", { id: "sign-in-reason", class: "bad", role: "alert" }, form.reason),
      isPlain && h("p", { class: "bad" }, "This page came without TLS: whoever is on the way can read the token. Use https and port 5682."),
      h("p", null, "A user token, as an administrator makes it with ",
        h("code", null, "kumactl generate user-token --name NAME --group GROUP --valid-for 8h"), "."),
      h("label", { for: "sign-in-token" }, "Token"),
      h("textarea", { id: "sign-in-token", rows: 5, spellcheck: "false", autocomplete: "off" }),
      h("label", null, "or a file with it ", h("input", { type: "file", id: "sign-in-file", onchange: filed })),
      h("label", null, h("input", { type: "checkbox", id: "sign-in-kept" }), " keep it until this tab is closed (otherwise until the page is loaded again)"),
      h("div", { class: "tools" }, h("button", { type: "submit" }, "Sign in"),
        h("button", { type: "button", onclick: () => element().close() }, "Cancel"))));
}

async function filed(event) {
  const [file] = event.target.files;
  if (file && file.size <= TOKEN_BYTES_MAX) element().querySelector("#sign-in-token").value = (await file.text()).trim();
}

async function submitted(event, done) {
  event.preventDefault();
  const field = element().querySelector("#sign-in-token");
  const text = field.value.trim();
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) {
    open("This is no token: it is three parts of letters and digits with points between them.");
    return;
  }
  keepToken(text, element().querySelector("#sign-in-kept").checked);
  try {
    const who = await get("/who-am-i");
    field.value = "";
    element().close();
    say(`Signed in as ${who.name}`);
    done();
  } catch (refused) {
    keepToken("", false);
    open(refused.isUnanswered ? refused.title : `The control plane does not believe it: ${refused.message}`);
  }
}
