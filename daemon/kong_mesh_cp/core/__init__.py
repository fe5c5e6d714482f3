"""What the control plane decides: pure, without I/O, clock, logging or randomness."""
