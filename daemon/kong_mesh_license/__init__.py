"""The license vendor's tool: makes keys and issues licenses."""
