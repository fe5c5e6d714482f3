"""One module a resource type: its typed spec, and the rules for it."""
