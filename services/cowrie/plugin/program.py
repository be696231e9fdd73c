"""Starts Cowrie's services without ports of their own: connections arrive over the link."""

import os
import resource
import sys
import types
from typing import Any

_LARGEST_FILE_BYTES = 32 * 1024 * 1024
_MOST_MEMORY_BYTES = 1024 * 1024 * 1024
_MOST_FILES = 4096


def run(descriptor: int) -> None:
    """Serve until the link is closed."""
    _limit()
    os.umask(0o077)
    from twisted.internet import reactor as the_reactor
    from twisted.logger import globalLogBeginner

    from .link import Link
    from .trouble import tell_trouble

    reactor: Any = the_reactor  # the type is too general; at run time this is the epoll reactor
    globalLogBeginner.beginLoggingTo([tell_trouble], redirectStandardIO=False)
    link = Link(reactor)
    factories = _build(link)
    for factory in factories.values():
        factory.doStart()
    link.serve(descriptor, factories)
    reactor.run()


def _build(link: Any) -> dict[str, Any]:
    """Let Cowrie create the factories that it would listen with; return them by protocol."""
    from .identity import Identity, read_identity

    identity: Identity = read_identity()
    from cowrie.core.config import CowrieConfig

    for section in CowrieConfig.sections():
        if section.startswith("output_"):
            CowrieConfig.set(section, "enabled", "false")
    CowrieConfig.add_section("output_postern")
    CowrieConfig.set("output_postern", "enabled", "true")
    sys.modules["cowrie.output.postern"] = _output_module(link)

    from twisted.plugins import cowrie_plugin

    from . import disguise, openssh

    made: dict[str, Any] = {}

    def collect(_reactor: Any, _parent: Any, _endpoints: Any, factory: Any) -> None:
        made["ssh" if type(factory).__name__ == "CowrieSSHFactory" else "telnet"] = factory

    cowrie_plugin.create_endpoint_services = collect
    disguise.put_on(identity, link)
    openssh.teach(identity.algorithms)
    cowrie_plugin.serviceMaker.makeService({"help": False})
    if "telnet" in made:
        disguise.greet(made["telnet"], identity)
    return made


def _output_module(link: Any) -> types.ModuleType:
    """Return the module that Cowrie loads as output `postern`: events go out over the link."""
    from cowrie.core.output import Output

    class ToLink(Output):
        def start(self) -> None:
            pass

        def stop(self) -> None:
            pass

        def write(self, event: dict[str, Any]) -> None:
            link.tell(event)

    module = types.ModuleType("cowrie.output.postern")
    module.__dict__["Output"] = ToLink
    return module


def _limit() -> None:
    """Limit the resources that an attacker can make this process use."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE_BYTES, _LARGEST_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    most = min(_MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
