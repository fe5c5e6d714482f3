"""The server for data plane proxies: what is said over its streams, and in which bytes."""
