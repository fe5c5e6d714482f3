// Questions to the control plane, as whoever is signed in.

const API = document.documentElement.dataset.api;
const KEPT = "token"; // the name in this tab's storage
const ANSWER_MS_MAX = 30_000;

let token = sessionStorage.getItem(KEPT) ?? "";

/** A question that was not answered as asked. `status` is 0 if nobody answered at all. */
export class Refusal extends Error {
  constructor(status, { title = "", detail = "", code = "", hint = "" } = {}) {
    super(detail || title);
    Object.assign(this, { status, title, detail, code, hint });
  }

  get isUnanswered() {
    return this.status === 0;
  }
}

export const isSignedIn = () => token !== "";

/** Keep `text` as the user token of this page, or until the tab is closed if `isKept`. */
export function keepToken(text, isKept) {
  token = text;
  if (text && isKept) sessionStorage.setItem(KEPT, text);
  else sessionStorage.removeItem(KEPT);
}

/** When the token ends, as milliseconds; undefined for one that does not say, or for none. */
export function tokenEnd(text = token) {
  try {
    const claims = JSON.parse(atob(text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return typeof claims.exp === "number" ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** A path of names, each escaped: nothing in a name leads elsewhere. */
export const path = (parts, ...names) =>
  parts.reduce((made, part, index) => made + encodeURIComponent(names[index - 1]) + part);

/** The document at `asked`. Throws Refusal. */
export async function get(asked, asText = false) {
  return ask("GET", asked, asText);
}

export async function post(asked) {
  return ask("POST", asked, false);
}

async function ask(method, asked, asText) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  let body;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    answer = await fetch(API + asked, { method, headers, signal, cache: "no-store", credentials: "same-origin" });
    body = await answer.text();
  } catch {
    throw new Refusal(0, { title: "The control plane does not answer" });
  }
  let document_;
  try {
    document_ = JSON.parse(body);
  } catch {
    document_ = undefined;
  }
  if (!answer.ok) throw new Refusal(answer.status, document_ ?? { title: body.slice(0, 200) });
  if (!asText && document_ === undefined) throw new Refusal(answer.status, { title: "The answer is no JSON" });
  return asText ? body : document_;
}

/** All items of a list, page by page, up to `most`; `total` counts them all. */
export async function list(asked, most) {
  const items = [];
  let total = 0;
  while (items.length < most) {
    const joint = asked.includes("?") ? "&" : "?";
    const page = await get(`${asked}${joint}size=${Math.min(1000, most - items.length)}&offset=${items.length}`);
    items.push(...page.items);
    total = page.total;
    if (page.next === null || page.items.length === 0) break;
  }
  return { items, total };
}
