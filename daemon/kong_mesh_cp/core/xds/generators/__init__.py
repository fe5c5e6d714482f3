"""The parts of a proxy's configuration, one module for each; `generate` puts them together."""
