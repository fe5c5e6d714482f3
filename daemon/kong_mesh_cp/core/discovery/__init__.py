"""How a client is told resources and their changes over a stream: xDS, without Envoy or protobuf.

`snapshots.py` is what there is to tell, `exchanges.py` what goes over the stream, `transitions.py`
the protocol as a table, `ordered_stream.py` what both variants share: order, one response in
flight, refusals, counts. `sotw.py` is the state of the world, `delta.py` the incremental variant.
Which types there are and in which order they go is a value of `type_order.py`.
"""
