"""The composition root: reads what was set, judges the license, wires the parts, runs them."""
