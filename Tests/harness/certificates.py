# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Certificates for one test, made by openssl when it runs and gone with its folder."""

import subprocess
from typing import NamedTuple


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: str
    key: str

    @property
    def server(self):
        """Lines for an httpd that takes TLS with it."""
        return (
            f"SSLEngine On\nSSLCertificateFile {self.certificate}\nSSLCertificateKeyFile {self.key}\nSSLSessionCache "
            "none\n"
        )


class Authority:
    """A CA of its own."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        self._openssl(
            "req",
            "-x509",
            *self._new_key(self._key),
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-out",
            self.certificate,
            "-addext",
            "basicConstraints=critical,CA:TRUE",
        )

    def sign(self, name, *more, days=1):
        """A certificate for these host names, or addresses."""
        names = ",".join(("IP:" if part.replace(".", "").isdigit() else "DNS:") + part for part in (name, *more))
        base = self.folder / f"{self.name}-{name}-{days}"
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        made = Pair(str(self.folder / f"{base.name}.pem"), str(self.folder / f"{base.name}.key"))
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n")
        self._openssl("req", *self._new_key(made.key), "-subj", f"/CN={name}", "-out", request)
        self._openssl(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.certificate,
            "-CAkey",
            self._key,
            "-CAcreateserial",
            "-days",
            str(days),
            "-extfile",
            extensions,
            "-out",
            made.certificate,
        )
        return made

    @staticmethod
    def _new_key(path):
        # Made in a moment, unlike RSA.
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *(str(argument) for argument in arguments)], check=True, capture_output=True)
