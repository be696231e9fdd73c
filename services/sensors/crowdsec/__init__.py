"""CrowdSec: a bouncer for its API. Decisions of CrowdSec's agents become decisions of the controller."""
