"""A certificate authority for tests, with a certificate for loopback and one for a client."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_KEPT = TemporaryDirectory(prefix="victor-fp-certificates-")
FOLDER = Path(_KEPT.name)


class Authority:
    """Makes certificates that it signs, as files."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extensions = [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False),
            (_build_usage(key_cert_sign=True, crl_sign=True), True),
        ]
        certificate = self._sign(self._name, self._key.public_key(), extensions)
        self.file = FOLDER / f"{name.replace(' ', '-')}.pem"
        """The authority's own certificate."""
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.folder = FOLDER / f"{name.replace(' ', '-')}-folder"
        """A folder with that certificate, under the name by which OpenSSL finds it."""
        self.folder.mkdir(exist_ok=True)
        # OpenSSL's hash of a name: SHA-1 of its canonical form, which for a lower-case name is its DER without the outer header.
        digest = hashlib.sha1(self._name.public_bytes()[2:]).digest()
        (self.folder / f"{int.from_bytes(digest[:4], 'little'):08x}.0").write_bytes(self.file.read_bytes())

    def make_certificate(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Files of a certificate for these hosts and addresses, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [_to_general_name(host) for host in hosts or (name,)]
        extensions = [
            (x509.SubjectAlternativeName(names), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._sign(subject, key.public_key(), extensions)
        certificate, private = FOLDER / f"{name}.pem", FOLDER / f"{name}.key"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, private

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extensions: list[tuple[x509.ExtensionType, bool]],
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(self._key, hashes.SHA256())


def _build_usage(**given: bool) -> x509.KeyUsage:
    uses = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{use: given.get(use, False) for use in uses})


def _to_general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@cache
def get_authority() -> Authority:
    """The authority that the tests' servers and clients use."""
    return Authority("test authority")


@cache
def make_server_context(*, asks_client: bool = False, host: str = "127.0.0.1") -> ssl.SSLContext:
    """For a server at this host; with `asks_client` it refuses clients without a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*get_authority().make_certificate(f"server-{host}".replace(":", "-"), host))
    if asks_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(get_authority().file)
    return context
