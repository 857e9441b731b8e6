"""A certificate for the loopback address, from an authority that only a test knows."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc
import trustme

from tests.servers import HOST


class Identities:
    """Of a receiver and of its clients, both of one authority. A receiver that has one refuses all clients without."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self._receiver = self._authority.issue_cert(HOST)
        self._client = self._authority.issue_cert("client.example")

    def write(self, folder: Path) -> dict[str, Any]:
        """Files for a client, and the official exporters' variables that name them."""
        authority, key, certificate = (folder / name for name in ("authority.pem", "key.pem", "certificate.pem"))
        self._authority.cert_pem.write_to_path(authority)
        self._client.private_key_pem.write_to_path(key)
        self._client.cert_chain_pems[0].write_to_path(certificate)
        return {
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(key),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(certificate),
            # Where they are set, requests, which the exporters over HTTP send by, believes them instead.
            "REQUESTS_CA_BUNDLE": "",
            "CURL_CA_BUNDLE": "",
        }

    def for_http(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        self._authority.configure_trust(context)
        self._receiver.configure_cert(context)
        return context

    def for_grpc(self) -> grpc.ServerCredentials:
        pair = (self._receiver.private_key_pem.bytes(), self._receiver.cert_chain_pems[0].bytes())
        return grpc.ssl_server_credentials(
            [pair], root_certificates=self._authority.cert_pem.bytes(), require_client_auth=True
        )
