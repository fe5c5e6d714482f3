// What an overview of a data plane proxy says of its state.

/** Name of the proxy's service, or of all of them. */
export function services({ dataplane }) {
  const { gateway, inbound = [] } = dataplane.networking ?? {};
  const tags = gateway?.tags ? [gateway.tags] : inbound.map((each) => each.tags ?? {});
  return [...new Set(tags.map((each) => each["kuma.io/service"]).filter(Boolean))];
}

export function kind({ dataplane }) {
  const gateway = dataplane.networking?.gateway;
  if (!gateway) return "sidecar";
  return gateway.type === "BUILTIN" ? "builtin gateway" : "delegated gateway";
}

const connections = (overview) => overview.dataplaneInsight?.subscriptions ?? [];
const isOpen = (each) => each.connectTime && !each.disconnectTime;
const isReady = ({ state: word }) => word === undefined || word === "Ready";

/** online, partially or offline, as docs/wire/insights.md has it. */
export function stateOf(overview) {
  if (!connections(overview).some(isOpen)) return "offline";
  const inbound = (overview.dataplane.networking?.inbound ?? []).filter((each) => each.state !== "Ignored");
  if (overview.dataplane.networking?.gateway || inbound.every(isReady)) return "online";
  return inbound.some(isReady) ? "partially" : "offline";
}

/** Since when it is in this state; "" if that is not known. */
export function stateSince(overview) {
  const all = connections(overview);
  const open = all.filter(isOpen).at(-1);
  if (open) return open.connectTime;
  return all.map((each) => each.disconnectTime ?? "").sort().at(-1) ?? "";
}

/** Why it is not online, in one sentence; "" if it is. */
export function reason(overview) {
  const all = connections(overview);
  const inbound = overview.dataplane.networking?.inbound ?? [];
  const waiting = inbound.filter((each) => each.state !== "Ignored" && !isReady(each));
  if (all.length === 0) return "it has never connected";
  if (!all.some(isOpen)) return "its connection has ended";
  if (waiting.length === 0 || overview.dataplane.networking?.gateway) return "";
  return `${waiting.length} of ${inbound.length} inbounds not ready: ${waiting.map((each) => each.port).join(", ")}`;
}

export const versions = (overview) => {
  const { kumaDp, envoy } = connections(overview).at(-1)?.version ?? {};
  return [kumaDp?.version && `kuma-dp ${kumaDp.version}`, envoy?.version && `envoy ${envoy.version}`].filter(Boolean).join(", ");
};

/** What Envoy has refused, of all kinds of its configuration. */
export const refused = (overview) =>
  Number(connections(overview).at(-1)?.status?.total?.responsesRejected ?? 0);
