"""Metrics of clusters that are one service."""

from __future__ import annotations

from kuma_dp.metrics.envoy_clusters import of_services
from kuma_dp.metrics.exposition import ExpositionReader, exposition_of


def changed(*lines: str) -> list[str]:
    reader = ExpositionReader()
    reader.feed("\n".join(lines).encode())
    reader.end()
    (family,) = reader.families.values()
    of_services(family)
    return exposition_of(family).splitlines()[1:]


def test_clusters_that_differ_in_a_hash_are_added_up() -> None:
    assert changed(
        "# TYPE rq counter",
        'rq{code="200",envoy_cluster_name="backend-c72efb5be46fae6b"} 3',
        'rq{code="500",envoy_cluster_name="backend-c72efb5be46fae6b"} 1',
        'rq{code="200",envoy_cluster_name="backend-0000000000000000"} 4',
        'rq{code="200",envoy_cluster_name="web-1"} 5',
    ) == [
        'rq{code="200",envoy_cluster_name="backend",kuma_io_mesh_traffic="true"} 7',
        'rq{code="500",envoy_cluster_name="backend",kuma_io_mesh_traffic="true"} 1',
        'rq{code="200",envoy_cluster_name="web-1",kuma_io_mesh_traffic="true"} 5',
    ]


def test_histograms_are_added_up_bucket_by_bucket() -> None:
    one, two = "b-c72efb5be46fae6b", "b-0000000000000000"
    assert changed(
        "# TYPE t histogram",
        *(f't_bucket{{envoy_cluster_name="{c}",le="1"}} 1' for c in (one, two)),
        *(f't_bucket{{envoy_cluster_name="{c}",le="+Inf"}} 2' for c in (one, two)),
        *(f't_sum{{envoy_cluster_name="{c}"}} 0.25' for c in (one, two)),
    ) == [
        't_bucket{envoy_cluster_name="b",le="1",kuma_io_mesh_traffic="true"} 2',
        't_bucket{envoy_cluster_name="b",le="+Inf",kuma_io_mesh_traffic="true"} 4',
        't_sum{envoy_cluster_name="b",kuma_io_mesh_traffic="true"} 0.5',
    ]


def test_what_leads_to_the_control_plane_is_no_traffic_of_the_mesh() -> None:
    for cluster in ("ads_cluster", "access_log_sink", "kuma_envoy_admin", "kuma_metrics_hijacker"):
        line = f'rq{{envoy_cluster_name="{cluster}"}} 1'
        assert changed(line) == [line]


def test_listeners_of_http_are_marked_but_for_those_of_kuma() -> None:
    assert changed(
        'rq{envoy_http_conn_manager_prefix="backend"} 1',
        'rq{envoy_http_conn_manager_prefix="admin"} 1',
        'rq{envoy_http_conn_manager_prefix="kuma_metrics_prometheus"} 1',
    ) == [
        'rq{envoy_http_conn_manager_prefix="backend",kuma_io_mesh_traffic="true"} 1',
        'rq{envoy_http_conn_manager_prefix="admin"} 1',
        'rq{envoy_http_conn_manager_prefix="kuma_metrics_prometheus"} 1',
    ]


def test_other_metrics_stay_what_they_are() -> None:
    assert changed('envoy_server_live{x="a-c72efb5be46fae6b"} 1') == [
        'envoy_server_live{x="a-c72efb5be46fae6b"} 1'
    ]
