"""Parts that the specs of several policies share."""
