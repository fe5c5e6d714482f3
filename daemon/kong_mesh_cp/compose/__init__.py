"""The composition root: reads what was set, checks the license, wires the parts, runs them."""
