"""What /metrics shows of meshes with a quota."""

from __future__ import annotations

from kong_mesh_cp.core.admission.ledger import Occupancy
from kong_mesh_cp.core.admission.mesh_quotas import NO_QUOTAS, MeshQuotas
from kong_mesh_cp.core.formats.prometheus_text import metrics_text
from kong_mesh_cp.usecases.admission.quota_metrics import quota_metrics


def shown(quotas: MeshQuotas) -> list[str]:
    occupancy = Occupancy(
        active=3,
        reserved=0,
        by_mesh={"pay": 2, "infra": 1},
        by_zone={},
        high_water={},
        elsewhere=5,
        elsewhere_by_mesh={"pay": 4, "new": 1},
        quotas=quotas,
    )
    lines = metrics_text(quota_metrics(occupancy)).splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_each_mesh_with_a_quota_has_it_beside_its_seats_on_all_control_planes() -> None:
    assert shown(MeshQuotas.read(("pay=10", "idle=3", "infra=unlimited"))) == [
        'kong_mesh_mesh_dataplanes_active{mesh="idle"} 0',
        'kong_mesh_mesh_dataplanes_active{mesh="pay"} 6',
        'kong_mesh_mesh_dataplanes_allowed{mesh="idle"} 3',
        'kong_mesh_mesh_dataplanes_allowed{mesh="pay"} 10',
    ]
    assert 'kong_mesh_mesh_dataplanes_active{mesh="new"} 1' in shown(MeshQuotas.read(("*=2",)))


def test_without_quotas_nothing_is_shown() -> None:
    assert shown(NO_QUOTAS) == []
