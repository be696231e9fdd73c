"""CrowdSec: a bouncer of its API, so that what its agents decide becomes decisions of the controller."""
