"""The brain of the edge: policy in, OpenFlow out. Start reading at `runtime.py`."""
