"""HTTP/1.1 on trio streams: parsing, limits, deadlines, drain, peer credentials."""
