"""What a global control plane and those of its zones tell each other: which resources, as what.

`directions.py` is which types go which way, `synced_names.py` the names that resources have on the
other side, `synced_resources.py` a resource between store and wire, `kuma_resources.py` its binary
form, `going_down.py` and `going_up.py` what is sent to whom, `belonging.py` whose a resource is.
`wire_messages.py` are the messages around them.
"""
