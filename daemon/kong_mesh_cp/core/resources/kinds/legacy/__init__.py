"""The policies that select by sources, destinations and selectors, one file a kind."""
