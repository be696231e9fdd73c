"""The lab's one program under the system's Python: builds a Mininet network and keeps it until told to end.

    python3 lab/network_owner.py TOPOLOGY_FILE NAME NETWORK_JSON CONTROLLER

CONTROLLER is `HOST:PORT`, or `-` for a switch without one (a benchmark brings its
own flows). It writes a description of the network as JSON once it is built, then waits for
SIGTERM or SIGINT and takes everything down. After a failure it prints the reason in one line,
which the lab passes on, and ends: the hosts end with it, and the lab removes the bridges that
carry its mark.
"""

import json
import os
import runpy
import signal
import sys

try:
    from mininet.log import setLogLevel
    from mininet.net import Mininet
    from mininet.node import RemoteController
except ImportError as error:
    sys.exit(f"Mininet cannot be imported by {sys.executable}: {error}; remedy: make setup")

# This Python does not know our packages, and must not import others from the same directory.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import entry

sys.path.pop()


class Controller(RemoteController):
    """A controller that may start later."""

    def checkListening(self):  # noqa: N802 - Mininet's name
        return


def build(topology_file, name, controller):
    try:
        topologies = runpy.run_path(topology_file)["topos"]
    except Exception as error:  # the file is the user's: anything can be wrong with it
        sys.exit(f"{topology_file} cannot be loaded: {entry.describe(error)}; remedy: docs/topologies.md")
    if name not in topologies:
        sys.exit(f"{topology_file} has no topology {name!r}; it has: {', '.join(topologies)}")
    network = Mininet(topo=topologies[name](), controller=None, build=False, listenPort=None)
    if controller != "-":
        host, _, port = controller.rpartition(":")
        network.addController(Controller("c0", ip=host, port=int(port)))
    network.start()
    return network


def describe(network):
    """Return a description of the network, as plain values."""
    return {
        "switches": [
            {
                "name": switch.name,
                "dpid": int(switch.dpid, 16),
                "ports": {
                    str(switch.ports[port]): port.name for port in switch.intfList() if switch.ports[port]
                },
            }
            for switch in network.switches
        ],
        "hosts": [_host(host) for host in network.hosts],
    }


def _host(host):
    ports = []
    for port in host.intfList():
        peer = port.link.intf2 if port.link.intf1 is port else port.link.intf1
        ports.append({"name": port.name, "mac": port.mac, "peer": peer.node.name, "peer_port": peer.name})
    return {
        "name": host.name,
        "pid": host.pid,
        "role": host.params.get("role", ""),
        "domain": host.params.get("domain", ""),
        "addresses": list(host.params.get("addresses", ())),
        "ports": ports,
    }


def write(path, facts):
    draft = f"{path}.draft"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)
    os.replace(draft, path)


def main():
    topology_file, name, path, controller = sys.argv[1:]
    wanted = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    setLogLevel("warning")
    network = build(topology_file, name, controller)
    write(path, describe(network))
    signal.sigwait(wanted)
    network.stop()


def run():
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("lab.network_owner", main)


if __name__ == "__main__":
    sys.exit(run())
