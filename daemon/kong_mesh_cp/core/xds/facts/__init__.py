"""What the parts of a configuration are told about the proxy that they are for."""
