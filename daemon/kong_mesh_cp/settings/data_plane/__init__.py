"""Settings for data plane proxies: the server they connect to, what they are started with."""
