"""The controller of the edge: policy in, OpenFlow out. Start reading at `runtime/runtime.py`."""
