// Meshes, and how many proxies each has.

import { facts, nothing, table } from "./parts.js";
import { get, list, path } from "./api.js";
import { counted } from "./words.js";
import { h } from "./view.js";

export const title = "Meshes";

const MESHES_MAX = 1000;

export async function load() {
  const [meshes, insights] = await Promise.all([list("/meshes", MESHES_MAX), list("/mesh-insights", MESHES_MAX)]);
  return { ...meshes, insights: new Map(insights.items.map((each) => [each.name, each])) };
}

export function view({ items, total, insights }) {
  if (items.length === 0) return nothing("There is no mesh. kumactl apply makes one.");
  return table(counted(total, "mesh", "meshes"), ["Name", "Proxies online", "Partially degraded", "Offline", "Services", "Policies", "Mutual TLS"],
    items.map((mesh) => {
      const { dataplanes = {}, services = {}, policies = {} } = insights.get(mesh.name) ?? {};
      return [mesh.name,
        h("a", { href: `#${path`/meshes/${mesh.name}`}` }, mesh.name),
        h("a", { href: `#/proxies?mesh=${encodeURIComponent(mesh.name)}` }, `${dataplanes.online ?? 0} of ${dataplanes.total ?? 0}`),
        dataplanes.partiallyDegraded ?? 0, dataplanes.offline ?? 0, services.total ?? 0,
        Object.values(policies).reduce((sum, each) => sum + each.total, 0), mesh.mtls?.enabledBackend || "off"];
    }));
}

export const one = {
  title: "Mesh",
  load: async ([name]) => {
    const [mesh, insight] = await Promise.all([get(path`/meshes/${name}`), list(`/mesh-insights?${new URLSearchParams({ name })}`, MESHES_MAX)]);
    return { mesh, insight: insight.items.find((each) => each.name === name) ?? {} };
  },
  view: ({ mesh, insight }) => {
    const { dataplanes = {}, policies = {}, dpVersions = {}, mTLS = {} } = insight;
    const byVersion = (ofKind) => Object.entries(ofKind ?? {}).map(([version, each]) => [version, version, each.online ?? 0, each.total ?? 0]);
    const version = ["Version", "Online", "Total"];
    return [
      h("h2", { key: "name" }, mesh.name),
      facts([
        ["Proxies", h("a", { href: `#/proxies?mesh=${encodeURIComponent(mesh.name)}` }, `${dataplanes.online ?? 0} of ${dataplanes.total ?? 0} online`)],
        ["Mutual TLS", mesh.mtls?.enabledBackend || "off"],
        ["Proxies with a certificate of each authority", Object.entries(mTLS.issuedBackends ?? {}).map(([name, each]) => `${name}: ${each.total}`).join(", ")],
        ["MeshServices", mesh.meshServices?.mode ?? "Disabled"],
      ]),
      Object.keys(policies).length > 0 && table("Policies", ["Type", "Number"], Object.entries(policies).map(([type, each]) => [type, type, each.total])),
      byVersion(dpVersions.kumaDp).length > 0 && table("Versions of kuma-dp", version, byVersion(dpVersions.kumaDp)),
      byVersion(dpVersions.envoy).length > 0 && table("Versions of Envoy", version, byVersion(dpVersions.envoy)),
    ];
  },
};
