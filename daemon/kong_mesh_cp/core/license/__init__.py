"""Licenses: what a document says, who signed it, when it ends, which source wins."""
