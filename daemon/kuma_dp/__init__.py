"""The proxy's side of a machine: asks for Envoy's configuration, starts it and looks after it."""

from __future__ import annotations

PROGRAM = "kuma-dp"
