// One data plane proxy: whether it is there and why not, its inbounds, its rules, what it is written as.

import { kind, reason, refused, services, stateOf, stateSince, versions } from "./presence.js";
import { copyButton, facts, nothing, refusal, state, table } from "./parts.js";
import { instant, since } from "./words.js";
import { get, path, Refusal } from "./api.js";
import { h } from "./view.js";

export const title = "Proxy";

const TABS = { "": "Overview", rules: "Rules", config: "Resource", envoy: "Envoy" };
const ENVOY = ["xds", "stats", "clusters"];

export async function load([mesh, name], parameters) {
  const at = path`/meshes/${mesh}/dataplanes/${name}`;
  const overview = await get(`${at}/_overview`);
  const tab = parameters.get("tab") ?? "";
  return { overview, tab, shown: await part(at, tab, parameters) };
}

/** What a tab needs beside the overview; a refusal of it is shown in its place. */
async function part(at, tab, parameters) {
  try {
    if (tab === "rules") return await get(`${at}/_rules`);
    if (tab === "config") return await get(parameters.get("format") === "k8s" ? `${at}?format=k8s` : at);
    if (tab === "envoy") return await get(`${at}/${ENVOY.find((each) => each === parameters.get("of")) ?? ENVOY[0]}`, true);
    return null;
  } catch (error) {
    if (error instanceof Refusal && !error.isUnanswered) return error;
    throw error;
  }
}

/** Envoy is asked when somebody wants to know, and not every few seconds. */
export const isStill = ({ tab, shown }) => tab === "envoy" || shown?.status === 403;

/** What came is shown as what it was asked as: the address may name another tab by now. */
export function view({ overview, tab, shown }, context) {
  const asked = context.parameters.get("tab") ?? "";
  return [
    h("h2", { key: "name" }, `${overview.mesh} / ${overview.name} `, state(stateOf(overview))),
    h("nav", { class: "tools", "aria-label": "Parts of the proxy", key: "tabs" }, Object.entries(TABS).map(([name, words]) =>
      h("button", { type: "button", key: words, "aria-current": name === asked ? "page" : null, onclick: () => context.go({ tab: name, format: "", of: "" }) }, words))),
    shown instanceof Refusal ? refusal(shown) : body(tab, overview, shown, context),
  ];
}

function body(tab, overview, shown, context) {
  if (tab === "rules" && shown) return rules(shown);
  if (tab === "config" && shown) return resource(shown, context);
  if (tab === "envoy" && shown !== null) return envoy(shown, context);
  return presence(overview, context.now);
}

function presence(overview, now) {
  const { networking = {} } = overview.dataplane;
  const insight = overview.dataplaneInsight ?? {};
  const at = stateSince(overview);
  return h("div", { key: "presence" },
    facts([
      ["State", state(stateOf(overview)), at && ` since ${instant(at)} (${since(at, now)})`],
      ["Why", reason(overview)], ["Kind", kind(overview)], ["Services", services(overview).join(", ")],
      ["Address", networking.address], ["Versions", versions(overview)],
      ["Refused by Envoy", refused(overview) || ""],
      ["Certificate until", instant(insight.mTLS?.certificateExpirationTime)], ["Authority", insight.mTLS?.issuedBackend],
    ]),
    (networking.inbound ?? []).length > 0 && table("Inbounds", ["Port", "Service", "State", "Tags"], networking.inbound.map((each, index) =>
      [`${index}`, each.port, each.tags?.["kuma.io/service"] ?? each.name ?? "", each.state ?? "Ready",
        Object.entries(each.tags ?? {}).map(([key, value]) => `${key}=${value}`).join(" ")])),
    (networking.outbound ?? []).length > 0 && table("Outbounds", ["Port", "To"], networking.outbound.map((each, index) =>
      [`${index}`, each.port, each.tags?.["kuma.io/service"] ?? each.backendRef?.name ?? ""])),
    (insight.subscriptions ?? []).length > 0 && table("Connections, latest first", ["Connected", "Ended", "Control plane"],
      insight.subscriptions.toReversed().map((each) => [each.id, instant(each.connectTime), instant(each.disconnectTime) || "still there", each.controlPlaneInstanceId ?? ""])));
}

function rules({ rules: all }) {
  if (all.length === 0) return nothing("No policy is for this proxy.");
  return h("div", { key: "rules" }, all.map((ofType) => h("section", { key: ofType.type }, h("h3", null, ofType.type), ruleTable(ofType))));
}

function ruleTable(ofType) {
  const found = [];
  if (ofType.proxyRule) found.push(["Proxy", "", ofType.proxyRule]);
  for (const each of ofType.fromRules ?? []) {
    for (const rule of each.rules) found.push([`From, at ${each.inbound?.port ?? "any"}`, matchers(rule), rule]);
  }
  for (const each of ofType.inboundRules ?? []) {
    for (const rule of each.rules) found.push([`Inbound ${each.inbound?.port ?? ""}`, "", rule]);
  }
  for (const rule of ofType.toRules ?? []) found.push(["To", matchers(rule), rule]);
  for (const rule of ofType.toResourceRules ?? []) {
    const { type = "", name = "" } = rule.resourceMeta ?? {};
    found.push(["To", `${type} ${name} ${rule.resourceSectionName ?? ""}`, rule]);
  }
  return table(`Rules of ${ofType.type}`, ["Where", "Of what", "What holds", "From policy"], found.map(([where, what, rule], index) =>
    [`${index}`, where, what, h("pre", null, JSON.stringify(rule.conf, null, 1)), origins(rule).join(", ")]));
}

const matchers = (rule) =>
  (rule.matchers ?? []).map(({ key, value, not }) => `${key} ${not ? "is not" : "is"} ${value}`).join(" and ") || "all";

const origins = (rule) =>
  (rule.origin ?? []).map((each) => each.name ?? each.resourceMeta?.name ?? "").filter(Boolean);

function resource(document_, { parameters, go }) {
  const text = JSON.stringify(document_, null, 1);
  const format = parameters.get("format") ?? "";
  return h("div", { key: "resource" },
    h("div", { class: "tools", role: "group", "aria-label": "Form" },
      [["", "Universal"], ["k8s", "Kubernetes"]].map(([name, words]) => h("button", { type: "button", key: words, "aria-pressed": String(name === format), onclick: () => go({ format: name }) }, words)),
      copyButton(text, "Copy the resource")),
    h("pre", { tabindex: "0", "aria-label": "The resource" }, text));
}

function envoy(text, { parameters, go }) {
  const of = ENVOY.find((each) => each === parameters.get("of")) ?? ENVOY[0];
  return h("div", { key: "envoy" },
    h("div", { class: "tools", role: "group", "aria-label": "What Envoy says" },
      ENVOY.map((each) => h("button", { type: "button", key: each, "aria-pressed": String(each === of), onclick: () => go({ of: each }) }, each)),
      copyButton(text, "Copy what Envoy says")),
    h("pre", { tabindex: "0", "aria-label": `Envoy's ${of}` }, text));
}
