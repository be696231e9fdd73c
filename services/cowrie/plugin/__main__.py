"""One Cowrie: `python -m plugin FD`, in its state directory. FD is the socket of the supervisor."""

import sys

from .program import run

if __name__ == "__main__":
    run(int(sys.argv[1]))
