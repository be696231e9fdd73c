"""How many random frames and faults a run tries, and which: from the environment, for longer runs."""

import os

SEED = int(os.environ.get("POSTERN_FRAMES_SEED", "1"))
FRAMES = int(os.environ.get("POSTERN_FRAMES", "10000"))  # for each policy
FAULTS = int(os.environ.get("POSTERN_FAULTS", "200"))  # over all policies
