"""certificates.py -- a private CA and what it signs, by openssl, for the checks that speak TLS. Each file is FOLDER/NAME.pem or
FOLDER/NAME.key."""
import os
import subprocess
import sys

CA = """[ca]
default_ca = own
[own]
dir = .
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""
NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        with open(self.path("ca.cnf"), "w") as f:
            f.write(CA)
        open(self.path("index.txt"), "w").close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit("FAIL openssl " + " ".join(arguments) + ": " + done.stderr)

    def authority(self, name):
        self.openssl("req", "-x509", *NEW, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def sign(self, name, ca, names=None, begin="20200101000000Z", end="20991231000000Z"):
        san = ["-addext", f"subjectAltName={names}"] if names else []
        self.openssl("req", *NEW, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr", *san)
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", f"{ca}.pem", "-keyfile", f"{ca}.key", "-startdate", begin,
                     "-enddate", end, "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext")

    def variables(self, ca="ca", certificate="client", key=None, signal=""):
        """What tells the SDK of them; what is None is left out."""
        key = key or certificate
        files = {"CERTIFICATE": ca and ca + ".pem", "CLIENT_CERTIFICATE": certificate and certificate + ".pem",
                 "CLIENT_KEY": key and key + ".key"}
        return {f"OTEL_EXPORTER_OTLP_{signal}{name}": self.path(file) for name, file in files.items() if file}
