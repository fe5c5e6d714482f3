// The first screen: what asks for attention, and numbers that lead to what they count.

import { reason, stateOf } from "./presence.js";
import { card, table } from "./parts.js";
import { get, list } from "./api.js";
import { row } from "./proxies.js";
import { counted } from "./words.js";
import { h } from "./view.js";

export const title = "Overview";

const LOOKED_AT_MAX = 1000; // proxies; where there are more, the table says so
const TOLD_MAX = 50;

/** The proxies are looked through only if the counts say that there is something to find. */
export async function load() {
  const counts = await get("/global-insight");
  const some = attention(counts) > 0 ? await list("/dataplanes/_overview", LOOKED_AT_MAX) : { items: [], total: 0 };
  const found = some.items.filter((each) => stateOf(each) !== "online");
  return { counts, found, lookedAt: some.items.length, total: some.total };
}

const proxies = (counts, member) => Object.values(counts.dataplanes).reduce((sum, each) => sum + each[member], 0);
const attention = (counts) => proxies(counts, "offline") + proxies(counts, "partiallyDegraded");

export function view({ counts, found, lookedAt, total }, { license, now }) {
  const waiting = attention(counts);
  return [
    h("div", { class: "cards", key: "cards" },
      license && card("Seats", `${license.activeDataplaneProxies} of ${license.allowedDataplaneProxies}`, {
        href: "#/license", bad: license.activeDataplaneProxies > license.allowedDataplaneProxies }),
      license && card("License ends", license.expirationDate.slice(0, 10), {
        href: "#/license", note: "daysLeft" in license ? `${license.daysLeft} days left` : "", bad: Date.parse(license.expirationDate) <= now }),
      card("Proxies online", `${proxies(counts, "online")} of ${proxies(counts, "total")}`, { href: "#/proxies", note: waiting > 0 ? counted(waiting, "needs attention", "need attention") : "", bad: waiting > 0 }),
      card("Meshes", counts.meshes.total, { href: "#/meshes" }),
      card("Policies", counts.policies.total),
      card("Services", counts.services.internal.total, { note: `${counts.services.internal.online} online` })),
    found.length > 0
      ? h("section", { key: "attention" }, h("h2", null, "Needs attention"),
        table(caption(found, lookedAt, total), ["Name", "Mesh", "Kind", "Service", "State", "Since", "Why", "Versions"],
          found.toSorted((one, other) => Number(reason(one) === "") - Number(reason(other) === "")).slice(0, TOLD_MAX).map((each) => row(each, now))))
      : h("p", { class: "good", key: "attention" }, proxies(counts, "total") > 0 ? "✔ Every data plane proxy is online." : "There is no data plane proxy yet."),
  ];
}

function caption(found, lookedAt, total) {
  const all = counted(found.length, "data plane proxy that is", "data plane proxies that are");
  const shown = found.length > TOLD_MAX ? `The first ${TOLD_MAX} of ${all}` : all;
  return `${shown} not online${lookedAt < total ? `, among the first ${lookedAt} of ${total}` : ""}`;
}
