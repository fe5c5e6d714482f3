"""`kumactl apply` in its parts: what is given, its order, what is wrong with it, what goes."""
