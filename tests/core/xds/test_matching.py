"""The confs of one proxy, typed, and shared by all for whom they hold."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.confs import UnreadableConfError
from kong_mesh_cp.core.policy.kinds.mesh_timeout import Conf
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.proxies import Listener
from kong_mesh_cp.core.policy.typed_confs import TypedConf
from kong_mesh_cp.core.xds.matching import Matched, MatchedType
from kong_mesh_cp.core.xds.parts import Parts
from support.specs.sidecars import inbound, policy, to_mesh, to_service, web
from support.specs.transparent_proxies import Json, view_of

TIMEOUT = "MeshTimeout"
FIRST, SECOND = Listener("10.0.0.1", 8080), Listener("10.0.0.1", 8081)


def matched(*documents: Json, parts: Parts | None = None, shadow: bool = False) -> MatchedType:
    own = web(inbound("web", 8080, name="main"), inbound("admin", 8081, name="other"))
    view = view_of(own, *documents)
    found = Matched(
        proxy_of(view.dataplane), view.world.policies, parts or Parts(), with_shadow=shadow
    )
    return found.of_type(TIMEOUT)


def seconds(conf: TypedConf | None) -> float | None:
    """The connection timeout of a conf."""
    if conf is None:
        return None
    assert isinstance(conf.value, Conf)
    assert conf.value.connection_timeout is not None
    return conf.value.connection_timeout / 1e9


def waits(text: str) -> Json:
    return {"connectionTimeout": text}


def test_without_a_policy_nothing_is_said() -> None:
    found = matched()
    assert (found.inbound(FIRST).rules, found.inbound(FIRST).selected) == (None, False)
    assert (found.service("pay").conf, found.service("pay").selected) == (None, False)


def test_a_service_has_what_is_said_of_it_else_what_is_said_of_all() -> None:
    found = matched(
        policy(
            TIMEOUT,
            to=[*to_mesh(**waits("1s")), *to_service("pay", **waits("2s"))],
        )
    )
    assert seconds(found.service("pay").conf) == 2
    assert seconds(found.service("else").conf) == 1
    assert found.service("else").selected


def test_a_proxy_that_is_selected_for_other_services_only_has_no_conf() -> None:
    found = matched(policy(TIMEOUT, to=to_service("pay", **waits("2s")))).service("else")
    assert (found.conf, found.selected) == (None, True)


def test_an_inbound_has_what_is_said_of_it() -> None:
    one = {"kind": "Dataplane", "sectionName": "main"}
    found = matched(policy(TIMEOUT, targetRef=one, rules=[{"default": waits("3s")}]))
    assert seconds(found.inbound(FIRST).rules) == 3
    assert found.inbound(SECOND).rules is None
    assert not found.inbound(SECOND).selected


def test_from_is_read_as_rules_where_a_type_has_both() -> None:
    found = matched(policy(TIMEOUT, from_=to_mesh(**waits("4s"))))
    assert seconds(found.inbound(SECOND).rules) == 4


def test_shadow_policies_count_for_who_asks_for_them() -> None:
    shadow = {
        **policy(TIMEOUT, to=to_mesh(**waits("1s"))),
        "labels": {"kuma.io/effect": "shadow"},
    }
    assert matched(shadow).service("pay").conf is None
    assert seconds(matched(shadow, shadow=True).service("pay").conf) == 1


def test_who_has_the_same_policies_shares_their_confs() -> None:
    view, parts = view_of(web(), policy(TIMEOUT, to=to_mesh(**waits("1s")))), Parts()

    def conf() -> object:
        found = Matched(proxy_of(view.dataplane), view.world.policies, parts)
        return found.of_type(TIMEOUT).service("pay")

    assert conf() is conf()


def test_equal_confs_are_equal_whatever_the_order_of_their_members() -> None:
    one = TypedConf(TIMEOUT, {"connectionTimeout": "1s", "idleTimeout": "2s"})
    other = TypedConf(TIMEOUT, {"idleTimeout": "2s", "connectionTimeout": "1s"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != TypedConf(TIMEOUT, waits("1s"))


def test_a_conf_that_no_schema_knows_cannot_be_read() -> None:
    with pytest.raises(UnreadableConfError):
        TypedConf(TIMEOUT, {"connectionTimeout": "soon"})
