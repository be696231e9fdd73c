"""OpenFlow 1.4 on the wire. With `apps/`, the only code that knows Ryu (`compat.py`)."""
