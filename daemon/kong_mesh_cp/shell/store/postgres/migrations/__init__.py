"""SQL that brings a store in PostgreSQL from one version to the next, one file a step."""
