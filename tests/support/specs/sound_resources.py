"""One sound body for every type that clients write, so that what is done with it has a start."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import strategies as st

_SPECS = """
AccessAudit: {rules: [{types: [Mesh], mesh: default, access: [CREATE, UPDATE]}, {accessAll: true}]}
AccessRole: {rules: [{types: [Mesh], access: [CREATE, UPDATE]}]}
AccessRoleBinding: {subjects: [{type: User, name: john}], roles: [a]}
CircuitBreaker:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
  conf: {interval: 5s, maxEjectionPercent: 20, detectors: {totalErrors: {consecutive: 20}}}
Dataplane:
  networking:
    address: 127.0.0.1
    inbound: [{port: 8080, servicePort: 80, tags: {kuma.io/service: backend, kuma.io/protocol: http}}]
    outbound: [{port: 9090, tags: {kuma.io/service: web}}]
ExternalService:
  tags: {kuma.io/service: outside, kuma.io/protocol: http}
  networking: {address: "example.com:80"}
FaultInjection:
  sources: [{match: {kuma.io/service: web, kuma.io/protocol: http}}]
  destinations: [{match: {kuma.io/service: backend, kuma.io/protocol: http}}]
  conf: {abort: {httpStatus: 500, percentage: 50}}
GlobalSecret: {data: YWJj}
HealthCheck:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
  conf: {interval: 10s, timeout: 2s, unhealthyThreshold: 3, healthyThreshold: 1, tcp: {send: YWJj}}
HostnameGenerator:
  spec:
    selector: {meshService: {matchLabels: {kuma.io/origin: zone}}}
    template: "{{ .DisplayName }}.mesh"
Mesh:
  mtls: {enabledBackend: ca-1, backends: [{name: ca-1, type: builtin, dpCert: {rotation: {expiration: 1d}}}]}
  logging: {backends: [{name: file, type: file, conf: {path: /tmp/access.log}}]}
  routing: {localityAwareLoadBalancing: true}
MeshAccessLog:
  spec:
    targetRef: {kind: Mesh}
    to: [{targetRef: {kind: Mesh}, default: {backends: [{type: File, file: {path: /tmp/a.log}}]}}]
MeshCircuitBreaker:
  spec:
    to: [{targetRef: {kind: Mesh}, default: {connectionLimits: {maxConnections: 2}}}]
MeshExternalService:
  spec:
    match: {type: HostnameGenerator, port: 443, protocol: tcp}
    endpoints: [{address: example.com, port: 443}]
MeshFaultInjection:
  spec:
    targetRef: {kind: MeshSubset, tags: {kuma.io/service: backend}, proxyTypes: [Sidecar]}
    from: [{targetRef: {kind: Mesh}, default: {http: [{abort: {httpStatus: 500, percentage: "2.5"}}]}}]
MeshGlobalRateLimit:
  spec:
    targetRef: {kind: MeshSubset, tags: {kuma.io/service: backend}, proxyTypes: [Sidecar]}
    from:
    - targetRef: {kind: Mesh}
      default:
        mode: Limit
        backend: {rateLimitService: {url: "http://limits.example.com:8081", timeout: 1s}}
        http:
          requestRate: {num: 100, interval: 10s}
          ratelimitOnRequest: [{kind: OnHeader, name: x-team, limits: [{value: a, requestRate: {num: 5, interval: 10s}}]}]
MeshOPA:
  spec:
    targetRef: {kind: MeshSubset, tags: {kuma.io/service: backend}}
    default:
      agentConfig: {inlineString: "decision_logs: {console: true}"}
      authConfig: {statusOnError: 413, onAgentFailure: Deny, requestBody: {maxSize: 1024, sendRawBody: true}, timeout: 5s}
      appendPolicies: [{rego: {inlineString: "package envoy.authz"}, ignoreDecision: false}, {rego: {secret: rego}}]
MeshGateway:
  selectors: [{match: {kuma.io/service: edge}}]
  conf: {listeners: [{port: 80, protocol: HTTP, hostname: a.example.com, tags: {name: one}}]}
MeshGatewayRoute:
  selectors: [{match: {kuma.io/service: edge}}]
  conf:
    http:
      rules:
        - matches: [{path: {match: PREFIX, value: /}}]
          backends: [{weight: 1, destination: {kuma.io/service: backend}}]
MeshHTTPRoute:
  spec:
    targetRef: {kind: Mesh}
    to:
      - targetRef: {kind: MeshService, name: backend}
        rules:
          - matches: [{path: {type: PathPrefix, value: /v1}}]
            default: {backendRefs: [{kind: MeshService, name: backend, weight: 1}]}
MeshHealthCheck:
  spec:
    to: [{targetRef: {kind: MeshService, name: backend}, default: {interval: 10s, timeout: 2s, tcp: {}}}]
MeshLoadBalancingStrategy:
  spec:
    to: [{targetRef: {kind: MeshService, name: backend}, default: {loadBalancer: {type: RoundRobin}}}]
MeshMetric:
  spec: {default: {backends: [{type: Prometheus, prometheus: {port: 5670, path: /metrics}}]}}
MeshMultiZoneService:
  spec:
    selector: {meshService: {matchLabels: {app: backend}}}
    ports: [{port: 80, appProtocol: http}]
MeshPassthrough:
  spec: {default: {passthroughMode: Matched, appendMatch: [{type: Domain, value: a.example.com, port: 443, protocol: tls}]}}
MeshProxyPatch:
  spec:
    default:
      appendModifications:
        - cluster: {operation: Patch, match: {origin: inbound}, value: "connect_timeout: 5s\\n"}
MeshRateLimit:
  spec:
    targetRef: {kind: Mesh, proxyTypes: [Sidecar]}
    from: [{targetRef: {kind: Mesh}, default: {local: {http: {requestRate: {num: 5, interval: 10s}}}}}]
MeshRetry:
  spec:
    to: [{targetRef: {kind: MeshService, name: backend}, default: {http: {numRetries: 3, retryOn: [5xx]}}}]
MeshService:
  spec:
    selector: {dataplaneTags: {kuma.io/service: backend}}
    ports: [{port: 80, targetPort: 8080, appProtocol: http}]
    identities: [{type: ServiceTag, value: backend}]
  status: {addresses: [{hostname: backend.mesh, origin: HostnameGenerator}]}
MeshTCPRoute:
  spec:
    to:
      - targetRef: {kind: MeshService, name: backend}
        rules: [{default: {backendRefs: [{kind: MeshService, name: backend, weight: 1}]}}]
MeshTLS:
  spec:
    targetRef: {kind: Mesh}
    from: [{targetRef: {kind: Mesh}, default: {mode: Strict, tlsVersion: {min: TLS12}}}]
MeshTimeout:
  spec:
    targetRef: {kind: Mesh}
    to: [{targetRef: {kind: Mesh}, default: {connectionTimeout: 90s, http: {requestTimeout: 1500ms}}}]
MeshTrace:
  spec: {default: {backends: [{type: Zipkin, zipkin: {url: "http://zipkin:9411/api/v2/spans"}}]}}
MeshTrafficPermission:
  spec: {from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]}
ProxyTemplate:
  selectors: [{match: {kuma.io/service: "*"}}]
  conf: {imports: [default-proxy]}
RateLimit:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
  conf: {http: {requests: 5, interval: 10s}}
Retry:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
  conf: {http: {numRetries: 5, perTryTimeout: 0.2s}}
Secret: {data: YWJj}
Timeout:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
  conf: {connectTimeout: 5s, http: {requestTimeout: 10s}}
TrafficLog:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
  conf: {backend: file}
TrafficPermission:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
TrafficRoute:
  sources: [{match: {kuma.io/service: "*"}}]
  destinations: [{match: {kuma.io/service: backend}}]
  conf: {split: [{weight: 100, destination: {kuma.io/service: backend}}], loadBalancer: {roundRobin: {}}}
TrafficTrace: {selectors: [{match: {kuma.io/service: "*"}}], conf: {backend: zipkin}}
VirtualOutbound:
  selectors: [{match: {kuma.io/service: "*"}}]
  conf:
    host: "{{.service}}.mesh"
    port: "80"
    parameters: [{name: service, tagKey: kuma.io/service}]
Zone: {enabled: true}
ZoneEgress: {zone: default, networking: {address: 127.0.0.1, port: 10002}}
ZoneIngress:
  zone: default
  networking: {address: 127.0.0.1, port: 10001, advertisedAddress: 10.0.0.1, advertisedPort: 10001}
  availableServices: [{tags: {kuma.io/service: backend}, instances: 1, mesh: default}]
"""

SOUND: dict[str, dict[str, Any]] = yaml.safe_load(_SPECS)
"""Without type, mesh and name."""

TEXTS = st.sampled_from(
    [
        "",
        "*",
        "a" * 300,
        "\x00",
        "\x1b[2J\r\nERROR forged: x",
        "é\u2028",
        "{{.a}}",
        "(",
        "-1s",
        "9" * 30,
    ]
) | st.text(max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS, inner, max_size=3)
        | inner.map(lambda value: [[[[[value]]]]])
    ),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, sound: dict[str, Any]) -> dict[str, Any]:
    """`sound` with anything in the place of up to two of its parts, or without these."""
    body = copy.deepcopy(sound)
    for _ in range(draw(st.integers(0, 2))):
        place: Any = body
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and draw(st.integers(0, 4)):
                place = inner
                continue
            if isinstance(place, dict) and draw(st.integers(0, 3)) == 0:
                del place[key]
            else:
                place[key] = draw(VALUES)
            break
    return body
