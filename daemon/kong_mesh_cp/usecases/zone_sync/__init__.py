"""A global control plane and those of its zones: who sends what, and what becomes of it.

`sending.py` and `receiving.py` are the two ends of a stream, whichever role has them; `offers.py`
is what there is to send, `received_resources.py`
what is done with what comes. `global_side.py` is the part
of the global control plane, `zone_side.py` that of a zone's.
"""
