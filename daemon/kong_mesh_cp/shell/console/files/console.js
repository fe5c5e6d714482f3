// The console: which screen is shown, and what keeps it up to date.

import * as license from "./license.js";
import * as meshes from "./meshes.js";
import * as overview from "./overview.js";
import * as proxies from "./proxies.js";
import * as proxy from "./proxy.js";
import * as signing from "./sign_in.js";
import { get, isSignedIn, keepToken, Refusal } from "./api.js";
import { h, render } from "./view.js";
import { refusal, say } from "./parts.js";
import { banner } from "./banner.js";
import { duration } from "./words.js";
import { keys, help } from "./keyboard.js";

const LICENSE_MS = 1000; // until the license is asked for again: a change shows within two seconds
const SCREEN_MS = 5000; // the same of what the screen shows
const SCREENS = [
  { pattern: /^\/$/, screen: overview },
  { pattern: /^\/meshes$/, screen: meshes },
  { pattern: /^\/meshes\/([^/]+)$/, screen: meshes.one },
  { pattern: /^\/proxies$/, screen: proxies },
  { pattern: /^\/proxies\/([^/]+)\/([^/]+)$/, screen: proxy },
  { pattern: /^\/license$/, screen: license },
];
const LINKS = [["/", "Overview"], ["/meshes", "Meshes"], ["/proxies", "Proxies"], ["/license", "License"]];

const state = {
  who: null, // {name, groups} as the control plane sees it
  license: null,
  data: null, // of the screen, once it has come
  error: null, // why it has not
  unansweredSince: 0, // milliseconds; 0 while the control plane answers
  isPaused: false,
  isBannerOpen: false,
  asking: 0, // of the newest question for the screen's data; older answers are dropped
  shown: "", // what `data` is of
  refusedTo: "", // who may not see all of the license: each refusal is a line in a log
};

function place() {
  const [at, query = ""] = decoded(location.hash.slice(1) || "/").split("?");
  for (const { pattern, screen } of SCREENS) {
    const match = pattern.exec(at);
    if (match) {
      try {
        return { at, screen, names: match.slice(1).map(decodeURIComponent), parameters: new URLSearchParams(query) };
      } catch {
        break; // half of an escape: there is no such name
      }
    }
  }
  return { at, screen: null, names: [], parameters: new URLSearchParams(query) };
}

const decoded = (hash) => (hash.startsWith("/") ? hash : `/${hash}`);

/** Show the same screen with other parameters; those that are empty are left out. */
function go(changed, { replace = false } = {}) {
  const { at, parameters } = place();
  for (const [name, value] of Object.entries(changed)) {
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  const query = parameters.toString();
  const address = `#${at}${query ? `?${query}` : ""}`;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  moved();
}

function moved() {
  const { at, screen } = place();
  if (state.shown.split("?")[0] !== at) {
    Object.assign(state, { data: null, error: null });
    document.title = `${screen?.title ?? "Not here"} · kong-mesh-cp`;
    draw();
    document.getElementById("main")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  refresh();
}

/** Ask for what the screen shows, and show it. */
async function refresh() {
  const { screen, names, parameters } = place();
  state.asking += 1;
  const asked = state.asking;
  const address = location.hash;
  if (!screen) return draw();
  try {
    const data = await screen.load(names, parameters);
    if (asked !== state.asking) return undefined;
    Object.assign(state, { data, error: null, shown: address.slice(1) || "/" });
    answered();
  } catch (error) {
    if (asked !== state.asking) return undefined;
    failed(error);
  }
  return draw();
}

/** Who is asking, and the license, of which they see as much as they may. */
async function refreshLicense() {
  try {
    const who = await get("/who-am-i");
    const mayAsk = who.groups.includes("mesh-system:admin") || isSignedIn();
    state.license = mayAsk && state.refusedTo !== who.name ? await fullest(who) : await get("/license");
    state.who = who;
    answered();
  } catch (error) {
    failed(error, { ofScreen: false });
  }
  draw();
}

async function fullest(who) {
  try {
    return await get("/license?view=full");
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 403) throw error;
    state.refusedTo = who.name;
    return get("/license");
  }
}

function answered() {
  if (state.unansweredSince) say("The control plane answers again");
  state.unansweredSince = 0;
}

function failed(error, { ofScreen = true } = {}) {
  if (!(error instanceof Refusal)) failed(defect(error), { ofScreen });
  else if (error.isUnanswered) state.unansweredSince ||= Date.now();
  else if (error.status === 401) {
    keepToken("", false);
    signing.open(`The control plane does not believe the token: ${error.message}`);
  } else if (ofScreen) Object.assign(state, { data: null, error, shown: location.hash.slice(1) || "/" });
}

/** A fault of the console itself, as what is shown in its place: it goes on asking. */
function defect(error) {
  console.error(error);
  return new Refusal(-1, { title: "The console has a defect", detail: String(error), hint: "Load the page again." });
}

function draw() {
  const now = Date.now();
  const context = { license: state.license, now, parameters: place().parameters, go, refresh: () => { refreshLicense(); refresh(); } };
  render(document.getElementById("console"), [
    h("a", { class: "skip", href: "#main", key: "skip", onclick: skip }, "To the content"),
    header(),
    h("p", { id: "status", role: "status", class: "spoken", key: "status" }),
    banner(state.license, now, { isOpen: state.isBannerOpen, change: ({ isOpen = state.isBannerOpen }) => { state.isBannerOpen = isOpen; draw(); } }),
    state.unansweredSince > 0 && h("p", { class: "unanswered", role: "alert", key: "unanswered" },
      `The control plane has not answered for ${duration(now - state.unansweredSince)}. What is shown is from before; it is asked again.`),
    h("main", { id: "main", tabindex: "-1", key: "main" }, screen(context)),
    signing.dialog(context.refresh),
    help(),
  ]);
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function header() {
  const { at } = place();
  const isHere = (path) => at === path || (path !== "/" && at.startsWith(`${path}/`));
  return h("header", { key: "header" },
    h("a", { class: "name", href: "#/" }, "kong-mesh-cp"),
    h("nav", { "aria-label": "Screens" }, LINKS.map(([path, words]) =>
      h("a", { href: `#${path}`, key: path, "aria-current": isHere(path) ? "page" : null }, words))),
    h("button", { type: "button", id: "pause", "aria-pressed": String(state.isPaused), onclick: pause }, state.isPaused ? "Paused" : "Live"),
    signing.whoButton(state.who));
}

function screen(context) {
  const found = place().screen;
  if (!found) return [h("h1", { key: "title" }, "There is no such screen"), h("p", { key: "way" }, h("a", { href: "#/" }, "To the overview"))];
  return [
    h("h1", { key: "title" }, found.title),
    state.error ? refusal(state.error) : null,
    state.data === null ? !state.error && h("p", { class: "nothing", key: "waiting" }, "Asking the control plane …") : found.view(state.data, context),
  ];
}

function pause() {
  state.isPaused = !state.isPaused;
  say(state.isPaused ? "Paused" : "Live");
  draw();
}

/** Whether the screen is not asked for again by itself: it is refused, or dear to who is asked. */
function isStill() {
  const { screen: shown } = place();
  return state.error?.status === 403 || (state.data !== null && shown?.isStill?.(state.data));
}

/** Ask again and again, each time `milliseconds` after the answer; not while nobody looks. */
async function again(milliseconds, ask) {
  for (;;) {
    await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
    if (document.hidden || state.isPaused) continue;
    try {
      await ask();
    } catch (error) {
      failed(error);
    }
  }
}

addEventListener("hashchange", moved);
addEventListener("popstate", moved);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !state.isPaused) { refreshLicense(); refresh(); }
});
keys({ pause });
draw();
moved();
refreshLicense();
again(LICENSE_MS, refreshLicense);
again(SCREEN_MS, () => (isStill() ? undefined : refresh()));
