"""Zone proxies on their streams: who they are, what they are told, and what is shown of them."""
