"""HTTP/2 on a connection: the h2 library's state machine, and what it leaves to its caller."""
