"""The texts that clients match on: problems, admission messages, metrics, HTTP limits."""
