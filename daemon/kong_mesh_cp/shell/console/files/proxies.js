// Data plane proxies: a page of them, by mesh, name and tag.

import { kind, reason, services, stateOf, stateSince, versions } from "./presence.js";
import { instant, since } from "./words.js";
import { get, path } from "./api.js";
import { nothing, state, table } from "./parts.js";
import { h } from "./view.js";

export const title = "Proxies";

const PAGE = 100;
const FILTERS = ["mesh", "name", "service"];

export async function load(_, parameters) {
  const mesh = parameters.get("mesh");
  const name = parameters.get("name");
  const service = parameters.get("service");
  const offset = Number.parseInt(parameters.get("offset") ?? "0", 10) || 0;
  const asked = new URLSearchParams({ size: PAGE, offset });
  if (name) asked.set("name", name);
  if (service) asked.set("tag", `kuma.io/service:${service}`);
  const below = mesh ? path`/meshes/${mesh}` : "";
  const page = await get(`${below}/dataplanes/_overview?${asked}`);
  return { ...page, offset };
}

export function view(page, { parameters, go, now }) {
  const counts = { online: 0, partially: 0, offline: 0 };
  for (const item of page.items) counts[stateOf(item)] += 1;
  const isFiltered = FILTERS.some((name) => parameters.get(name));
  return [
    h("form", { class: "tools", role: "search", key: "filters", onsubmit: (event) => event.preventDefault() },
      FILTERS.map((name, index) => h("label", { key: name }, name, " ",
        h("input", { name, type: "search", id: index === 1 ? "filter" : `filter-${name}`, autocomplete: "off", value: parameters.get(name) ?? "",
          oninput: (event) => go({ [name]: event.target.value, offset: "" }, { replace: true }) })))),
    page.items.length === 0
      ? nothing(isFiltered ? "No data plane proxy is like that." : "There is no data plane proxy yet. One joins with kuma-dp run, or on the admission socket.")
      : table(`${page.offset + 1} to ${page.offset + page.items.length} of ${page.total} data plane proxies. On this page: ${counts.online} online, ${counts.partially} partially degraded, ${counts.offline} offline`,
        ["Name", "Mesh", "Kind", "Service", "State", "Since", "Why", "Versions"], page.items.map((item) => row(item, now))),
    page.total > PAGE && h("div", { class: "tools", key: "pages" },
      h("button", { type: "button", disabled: page.offset === 0, onclick: () => go({ offset: String(Math.max(0, page.offset - PAGE)) }) }, "Previous"),
      h("button", { type: "button", disabled: page.next === null, onclick: () => go({ offset: String(page.offset + page.items.length) }) }, "Next")),
  ];
}

export function row(item, now) {
  const at = stateSince(item);
  return [
    `${item.mesh}/${item.name}`,
    h("a", { href: `#${path`/proxies/${item.mesh}/${item.name}`}` }, item.name),
    item.mesh, kind(item), services(item).join(", "), state(stateOf(item)),
    h("span", { title: instant(at) }, since(at, now)), reason(item), versions(item),
  ];
}
