"""Makes Cowrie's SSH transport behave like OpenSSH, with the persona's algorithms, all implemented."""

import struct
import zlib
from typing import Any, ClassVar

from cowrie.core.config import CowrieConfig
from cowrie.core.utils import escape_nonprintable
from cowrie.ssh import factory as cowrie_factory
from cowrie.ssh import transport as cowrie_transport
from cowrie.ssh import userauth as cowrie_userauth
from twisted.conch.ssh import _kex, transport
from twisted.conch.ssh.common import MP, NS, getNS
from twisted.python import randbytes

from . import exchange, greeting
from .packets import BadLength, Clear, Forged, Way, make_way

_PSEUDO = (b"kex-strict-s-v00@openssh.com", b"ext-info-s")
_STRICT_CLIENT = b"kex-strict-c-v00@openssh.com"
_CIPHERS = frozenset(
    b"chacha20-poly1305@openssh.com aes128-gcm@openssh.com aes256-gcm@openssh.com "
    b"aes128-ctr aes192-ctr aes256-ctr aes128-cbc aes192-cbc aes256-cbc 3des-cbc".split()
)
_MACS = frozenset(
    b"hmac-sha1 hmac-md5 hmac-sha2-256 hmac-sha2-512 umac-64@openssh.com umac-128@openssh.com "
    b"hmac-sha1-etm@openssh.com hmac-md5-etm@openssh.com hmac-sha2-256-etm@openssh.com "
    b"hmac-sha2-512-etm@openssh.com umac-64-etm@openssh.com umac-128-etm@openssh.com".split()
)
_HOST_KEYS = frozenset(b"rsa-sha2-512 rsa-sha2-256 ssh-rsa ecdsa-sha2-nistp256 ssh-ed25519".split())
_COMPRESSION = frozenset(b"none zlib zlib@openssh.com".split())
# As sshd 9.2 sends it, independent of its own keys.
_SIGNATURES = (
    b"ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
    b"sk-ecdsa-sha2-nistp256@openssh.com,webauthn-sk-ecdsa-sha2-nistp256@openssh.com,"
    b"ssh-dss,ssh-rsa,rsa-sha2-256,rsa-sha2-512"
)
_DISCONNECT_PROTOCOL_ERROR = 2
_TOO_MANY_FAILURES = b"Too many authentication failures"
_BAD_TYPE = b"Invalid ssh2 packet type: "
_FIRST_LOCAL_TYPE = 192  # RFC 4250, 4.1.1
_LONGEST_GREETING_TOLD = 500
_MOST_FAILURES = 6  # sshd's MaxAuthTries
_FAILURE_TAKES_S = 2  # as pam_unix does

_Lists = dict[str, list[bytes]]


def teach(algorithms: dict[str, list[str]]) -> None:
    """Make Cowrie offer exactly these, before it creates its services. Unsupported ones are left out."""
    if not algorithms:
        return
    exchange.teach_exchanges()
    known = {
        "key_exchange": exchange.known_exchanges() | set(_PSEUDO),
        "host_keys": _HOST_KEYS,
        "ciphers": _CIPHERS,
        "macs": _MACS,
        "compression": _COMPRESSION,
    }
    offered = {
        kind: [name for name in map(str.encode, names) if name in known[kind]]
        for kind, names in algorithms.items()
    }
    OpenSshTransport.offered = offered
    kinds = {b"ssh-rsa" if b"rsa" in name else name for name in offered["host_keys"]}
    CowrieConfig.set("ssh", "public_key_auth", ",".join(sorted(kind.decode() for kind in kinds)))
    transport.SSHCiphers = Ciphers
    cowrie_transport.HoneyPotSSHTransport = OpenSshTransport
    cowrie_userauth.HoneyPotSSHUserAuthServer.attemptsBeforeDisconnect = _MOST_FAILURES
    cowrie_userauth.HoneyPotSSHUserAuthServer.passwordDelay = _FAILURE_TAKES_S
    _give_primes(cowrie_factory.CowrieSSHFactory)


def _give_primes(kind: Any) -> None:
    start = kind.startFactory

    def start_factory(self: Any) -> None:
        start(self)
        self.primes = self.primes or exchange.fallback_primes()

    kind.startFactory = start_factory


class Ciphers:
    """The algorithms agreed on for both directions; names and form are those of Twisted."""

    def __init__(self, out_cipher: bytes, in_cipher: bytes, out_mac: bytes, in_mac: bytes) -> None:
        self.outCipType, self.inCipType = out_cipher, in_cipher
        self.outMACType, self.inMACType = out_mac, in_mac
        self.outgoing: Way = Clear()
        self.incoming: Way = Clear()

    def setKeys(  # noqa: N802, PLR0913  (Twisted's name and arguments)
        self, out_iv: bytes, out_key: bytes, in_iv: bytes, in_key: bytes, out_mac: bytes, in_mac: bytes
    ) -> None:
        out_names = self.outCipType.decode(), self.outMACType.decode()
        in_names = self.inCipType.decode(), self.inMACType.decode()
        self.outgoing = make_way(out_names, out_iv, out_key, out_mac, True)
        self.incoming = make_way(in_names, in_iv, in_key, in_mac, False)


class OpenSshTransport(cowrie_transport.HoneyPotSSHTransport):
    # For the whole process, which has one persona. Set before the first connection.
    offered: ClassVar[_Lists] = {}
    _is_strict = False
    _keyExchangeState: str  # noqa: N815
    _blockedByKeyExchange: list[tuple[int, bytes]]  # noqa: N815
    buf: bytes

    def connectionMade(self) -> None:  # noqa: N802
        self.supportedKeyExchanges = [name for name in self.offered["key_exchange"] if name not in _PSEUDO]
        self.supportedPublicKeys = self.offered["host_keys"]
        self.supportedCiphers = self.offered["ciphers"]
        self.supportedMACs = self.offered["macs"]
        self.supportedCompressions = self.offered["compression"]
        super().connectionMade()
        self.transport.doWrite()  # at once: a client that has already hung up still gets the identification

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        refusal = None if self.gotVersion else greeting.refuse(self.buf + data)
        if refusal is None:
            super().dataReceived(data)
            return
        if self.events:
            said = escape_nonprintable(refusal.line[:_LONGEST_GREETING_TOLD])
            self.events.dispatch("cowrie.client.version", "Remote SSH version: %(version)s", version=said)
        self.buf = b""
        self.transport.write(refusal.answer)
        if refusal.has_unread:  # the kernel resets a connection with unread data
            self.transport.doWrite()
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    def sendKexInit(self) -> None:  # noqa: N802
        if not self.gotVersion:
            return
        if self._keyExchangeState != self._KEY_EXCHANGE_NONE:
            self.transport.loseConnection()
            return
        lists = [
            self.offered["key_exchange"] if self.sessionID is None else self.supportedKeyExchanges,
            self.supportedPublicKeys,
            *[self.supportedCiphers] * 2,
            *[self.supportedMACs] * 2,
            *[self.supportedCompressions] * 2,
            *[[]] * 2,
        ]
        body = randbytes.secureRandom(16) + b"".join(NS(b",".join(names)) for names in lists) + bytes(5)
        self.ourKexInitPayload = bytes((transport.MSG_KEXINIT,)) + body
        self.sendPacket(transport.MSG_KEXINIT, body)
        self._keyExchangeState = self._KEY_EXCHANGE_REQUESTED
        self._blockedByKeyExchange = []
        self.transport.doWrite()

    def ssh_KEXINIT(self, packet: bytes) -> Any:  # noqa: N802
        if self.sessionID is None and _PSEUDO[0] in self.offered["key_exchange"]:
            self._is_strict = _STRICT_CLIENT in getNS(packet[16:])[0].split(b",")
        return super().ssh_KEXINIT(packet)

    def dispatchMessage(self, number: int, payload: bytes) -> None:  # noqa: N802
        if self._is_strict and self.sessionID is None and number in (2, 3, 4):  # IGNORE, UNIMPLEMENTED, DEBUG
            self.transport.loseConnection()
        elif not 0 < number < _FIRST_LOCAL_TYPE:
            self.sendDisconnect(_DISCONNECT_PROTOCOL_ERROR, b"%s%d" % (_BAD_TYPE, number))
        elif (
            self.sessionID is None and number > 4 and number != transport.MSG_KEXINIT and self._waits_for_kex
        ):
            self.sendUnimplemented()
        else:
            try:
                super().dispatchMessage(number, payload)
            except exchange.GivesSecretAway:
                self.transport.loseConnection()

    @property
    def _waits_for_kex(self) -> bool:
        return self._keyExchangeState == self._KEY_EXCHANGE_REQUESTED

    def sendUnimplemented(self) -> None:  # noqa: N802
        """Send this packet's number; Twisted would send that of the next packet."""
        number = (self.incomingPacketSequence - 1) & 0xFFFFFFFF
        self.sendPacket(transport.MSG_UNIMPLEMENTED, struct.pack(">I", number))

    def sendPacket(self, number: int, payload: bytes) -> None:  # noqa: N802
        if self.transport is None:
            return
        is_exchanging = self._keyExchangeState != self._KEY_EXCHANGE_NONE
        if is_exchanging and not self._allowedKeyExchangeMessageType(number):
            self._blockedByKeyExchange.append((number, payload))
            return
        payload = bytes((number,)) + payload
        if self.outgoingCompression:
            payload = self.outgoingCompression.compress(payload) + self.outgoingCompression.flush(2)
        # OpenSSH pads unencrypted packets with zeros.
        way = self.currentEncryptions.outgoing
        pad = bytes if isinstance(way, Clear) else randbytes.secureRandom
        self.transport.write(way.seal(self.outgoingPacketSequence & 0xFFFFFFFF, payload, pad))
        self.outgoingPacketSequence += 1

    def getPacket(self) -> bytes | None:  # noqa: N802
        try:
            way = self.currentEncryptions.incoming
            found = way.open(self.incomingPacketSequence & 0xFFFFFFFF, self.buf)
            if found is None:
                return None
            payload, used = found
            self.buf = self.buf[used:]
            if self.incomingCompression:
                payload = self.incomingCompression.decompress(payload)
        except (BadLength, Forged, zlib.error):  # sshd closes the connection without a message
            self.buf = b""
            self.transport.loseConnection()
            return None
        self.incomingPacketSequence += 1
        return payload

    def _newKeys(self) -> None:  # noqa: N802
        if self._is_strict:  # both sides reset their counters, so that no packet can be injected before
            self.outgoingPacketSequence = self.incomingPacketSequence = 0
        super()._newKeys()

    def _startEphemeralDH(self) -> None:  # noqa: N802
        self.dhSecretKey = exchange.Ephemeral(self.g, self.p)
        self.dhSecretKeyPublicMP = MP(self.dhSecretKey.public)

    def _finishEphemeralDH(self, remoteDHpublicKey: int) -> bytes:  # noqa: N802, N803
        return MP(self.dhSecretKey.agree(remoteDHpublicKey))

    def _ssh_KEX_ECDH_INIT(self, packet: bytes) -> None:  # noqa: N802
        if not exchange.is_hybrid(self.kexAlg):
            super()._ssh_KEX_ECDH_INIT(packet)
            return
        said, _ = getNS(packet)
        try:
            answer, secret = exchange.answer_hybrid(self.kexAlg, said)
        except ValueError:
            self.transport.loseConnection()
            return
        public, private = self._getHostKeys(self.keyAlg)
        texts = (
            self.otherVersionString,
            self.ourVersionString,
            self.otherKexInitPayload,
            self.ourKexInitPayload,
        )
        hashed = _kex.getHashProcessor(self.kexAlg)()
        for text in (*texts, public.blob(), said, answer, secret):
            hashed.update(NS(text))
        signature = private.sign(hashed.digest(), signatureType=self.keyAlg)
        self.sendPacket(transport.MSG_KEXDH_REPLY, NS(public.blob()) + NS(answer) + NS(signature))
        self._keySetup(NS(secret), hashed.digest())

    def sendExtInfo(self, _extensions: Any) -> None:  # noqa: N802
        super().sendExtInfo([(b"server-sig-algs", _SIGNATURES), (b"publickey-hostbound@openssh.com", b"0")])

    def sendDisconnect(self, reason: int, text: bytes) -> None:  # noqa: N802
        """Send only what sshd sends; it ends most failed sessions without a message."""
        if text == b"too many bad auths":
            reason, text = _DISCONNECT_PROTOCOL_ERROR, _TOO_MANY_FAILURES
        is_said = text == _TOO_MANY_FAILURES or text.startswith(_BAD_TYPE)
        if is_said or reason == transport.DISCONNECT_BY_APPLICATION:
            super().sendDisconnect(reason, text)
        else:
            self.transport.loseConnection()
