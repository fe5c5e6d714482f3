"""The machine: systemd, signals, log, clocks, peers."""
