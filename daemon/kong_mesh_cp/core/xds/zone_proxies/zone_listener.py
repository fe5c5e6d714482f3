"""The one listener of a zone proxy, with a filter chain for each name that is asked for.

Source: docs/wire/zone-proxies.md#listeners
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Draft
from kong_mesh_cp.core.xds.envoy.envoy_messages import DirectResponse, Message
from kong_mesh_cp.core.xds.envoy.listeners import DIRECT_RESPONSE, ChainDraft, ListenerDraft
from kong_mesh_cp.core.xds.names import LISTENER
from kong_mesh_cp.core.xds.parts import resource
from kong_mesh_cp.core.xds.zone_proxies.egress_chains import OutsideChain, outside_chain
from kong_mesh_cp.core.xds.zone_proxies.passed_on import Passage
from kong_mesh_cp.core.xds.zone_proxies.zone_view import ZoneProxyView

Chain = Passage | OutsideChain


def listen(view: ZoneProxyView, plans: Sequence[Chain], draft: Draft) -> None:
    """A chain that cannot be made is left out: what it would be for is refused. Without any, which
    Envoy does not take, there is no listener.
    """
    chains: dict[str, tuple[Chain, Message]] = {}
    for plan in plans:
        made: Message | str = draft.parts.made(("zone chain", plan), partial(_chain, plan))
        if isinstance(made, str):
            draft.complain(view.listener, made)
        else:
            # Envoy takes one chain for a name: the first one counts.
            chains.setdefault(plan.server_name, (plan, made))
    if not chains:
        return
    key = ("zone listener", view.listener, tuple(plan for plan, _ in chains.values()))
    made_of = [each for _, each in chains.values()]
    whole = draft.parts.made(key, lambda: resource(view.listener, _listener(view, made_of)))
    draft.put_all(LISTENER, {view.listener: whole})


def _chain(plan: Chain) -> Message | str:
    """Or why it cannot be made, which is kept as well."""
    try:
        return plan.chain().whole() if isinstance(plan, Passage) else outside_chain(plan)
    except WRONG_INPUT as error:
        return str(error)


def _listener(view: ZoneProxyView, chains: Sequence[Message]) -> Message:
    draft = ListenerDraft(view.listener, view.address, view.port, inbound=True)
    draft.inspect_tls()
    message = draft.whole()
    message.filter_chains.extend(chains)
    return message


def answer(view: ZoneProxyView, text: str, draft: Draft) -> None:
    """A listener that leads nowhere, and says `text` to whoever connects."""
    key = ("answering listener", view.listener, text)
    made = draft.parts.made(key, lambda: resource(view.listener, _answering(view, text)))
    draft.put_all(LISTENER, {view.listener: made})


def _answering(view: ZoneProxyView, text: str) -> Message:
    chain = ChainDraft()
    chain.filters.append(
        (DIRECT_RESPONSE, DirectResponse(response={"inline_bytes": text.encode()}))
    )
    return _listener(view, [chain.whole()])
