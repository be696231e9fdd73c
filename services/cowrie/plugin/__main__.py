"""One Cowrie: `python -m plugin FD`, in its state directory; FD leads to whoever hands connections over."""

import sys

from .program import run

if __name__ == "__main__":
    run(int(sys.argv[1]))
