"""What scripts/demo shows, step by step."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from kong_mesh_demo.mesh import MANIFESTS, Place, peer, running
from kong_mesh_demo.processes import DemoError, Programs
from kong_mesh_demo.services import Said

WITH_MTLS: Final = "mesh-with-mtls.yaml"
PERMISSION: Final = "frontend-may-call"
EX_SOFTWARE: Final = 70
LOOK_SECONDS: Final = 1.0  # whether all programs still run


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="A mesh to look at: docs/demo.md explains each step. Ctrl-C ends all.",
    )
    parser.add_argument("--envoy", required=True, help="Envoy's executable")
    envoy = parser.parse_args().envoy
    # A terminal that is closed, or a supervisor: as Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="kong-mesh-demo-") as folder:
            _show(Path(folder), envoy)
    except DemoError as error:
        sys.stderr.write(f"demo: {error}\n")
        return EX_SOFTWARE
    except KeyboardInterrupt:
        _say("ended, and nothing is left of it")
    return 0


def _show(folder: Path, envoy: str) -> None:
    _say("starting a control plane and two proxies")
    with running(folder, envoy) as (place, programs):
        try:
            _steps(place, programs)
            _say(f"in another terminal: . {folder}/env      (Ctrl-C ends all)")
            while True:
                programs.check()
                time.sleep(LOOK_SECONDS)
        finally:
            # What is being ended is not left half ended by the impatient.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)


def _steps(place: Place, programs: Programs) -> None:
    def until(what: str, holds: Callable[[Said], bool]) -> Said:
        def look() -> Said | None:
            said = place.through_the_mesh()
            return said if said is not None and holds(said) else None

        return programs.wait_for(what, look)

    def apply() -> None:
        place.kumactl("apply", "-f", str(MANIFESTS / WITH_MTLS))

    def plainly() -> Said:
        return until("an answer of the backend", lambda said: said.status == 200)

    plainly()  # the first makes the connections
    _say(f"frontend → backend through the mesh … 200 in {plainly().milliseconds:.0f} ms (plain)")

    apply()
    answered = until("an answer with mutual TLS", lambda said: peer(said) != "")
    after = place.milliseconds_to_envoy("/meshes/default")
    _say(
        f"kumactl apply -f {WITH_MTLS} … at Envoy after {after:.0f} ms … 200, peer {peer(answered)}"
    )

    place.kumactl("delete", "meshtrafficpermission", PERMISSION)
    refused = until("a refusal", lambda said: said.status == 403)
    _say(f"without permission … 403 {refused.text.strip()}")

    apply()
    plainly()
    after = place.milliseconds_to_envoy(f"/meshes/default/meshtrafficpermissions/{PERMISSION}")
    _say(f"with it again … at Envoy after {after:.0f} ms … 200")


def _say(line: str) -> None:
    sys.stdout.write(f"demo: {line}\n")
    sys.stdout.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
