"""Policies that select by sources, destinations and selectors."""
