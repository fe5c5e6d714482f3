"""Headers of proxies: by them a request was passed on, and its sender may be anywhere.

There is no list of such headers that is complete. So names are read for what they mean, however
they are spelt: `X-Forwarded-For`, `x_forwarded_for`, `Forwarded-For` and `X.ForwardedFor` are one.
A client that sends such a header for itself is believed to be a proxy, which costs it nothing but
the rights of this machine's administrator.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

# What clients send for themselves, so that most requests cost no more than a look each.
_OF_CLIENTS: Final = frozenset({
    "accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection",
    "content-length", "content-type", "cookie", "expect", "host", "origin", "referer",
    "transfer-encoding", "user-agent",
})  # fmt: skip

# Anywhere in a name whose separators are taken out.
_SAYINGS: Final = (
    "forward", "proxy", "proxied", "cdnloop", "loadbalanc", "tracecontext", "surrogatecap",
    "clientip", "connectingip", "externaladdr", "originalip", "originatingip", "peeraddr", "peerip",
    "authrequest", "authenticateduser", "clientcert", "clientverify", "earlydata", "realip",
    "remoteaddr", "remoteip", "socketip", "sourceip", "trueip", "userip",
)  # fmt: skip

# At the end of a name: whose address is it, if not that of another one?
_ADDRESSES: Final = frozenset({"addr", "address", "ip", "ips", "ipv4", "ipv6"})

# Words that only what stands in front of servers puts before what it adds.
_IN_FRONT: Final = frozenset({
    "accel", "akamai", "amz", "amzn", "appengine", "arr", "azure", "cdn", "cf", "cloudflare",
    "cloudfront", "consumer", "edge", "envoy", "fastly", "fly", "front", "gateway", "haproxy",
    "hop", "ingress", "istio", "kong", "l5d", "lb", "nginx", "ngrok", "original", "originating",
    "real", "remote", "rewrite", "ssl", "tailscale", "traefik", "varnish", "vercel", "via",
    "webauth",
})  # fmt: skip

_WHOLE: Final = frozenset({"xhost", "xscheme", "xserver", "xurlscheme"})


def is_forwarded(names: Iterable[str]) -> bool:
    """Whether a header of `names`, in any case, is one that a proxy adds."""
    return any(name not in _OF_CLIENTS and _is_of_proxy(name) for name in names)


@lru_cache(maxsize=128)  # names of headers are few, and at most as long as a head
def _is_of_proxy(name: str) -> bool:
    spaced = "".join(each if each.isalnum() else " " for each in name.lower())
    words = spaced.split()
    joined = "".join(words).removeprefix("http")  # as CGI spells them
    if joined in _WHOLE or any(saying in joined for saying in _SAYINGS):
        return True
    return bool(words) and (words[-1] in _ADDRESSES or not _IN_FRONT.isdisjoint(words))
