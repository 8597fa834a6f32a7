"""Look into wheels: licenses and the list of what others made (PEP 770) are correct.

python scripts/check_wheel.py dist/*.whl
"""

import argparse
import hashlib
import json
import zipfile

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("wheels", nargs="+")
for path in parser.parse_args().wheels:
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        [bill] = [
            name for name in names if name.endswith(".dist-info/sboms/rnn_native.cdx.json")
        ]
        info = bill.partition("/")[0]
        for license_file in ("LICENSE", "licenses/OpenBLAS.txt"):
            assert f"{info}/licenses/{license_file}" in names, license_file
        beside = wheel.read("rnn_native/_blas/OpenBLAS-LICENSE.txt")
        assert wheel.read(f"{info}/licenses/licenses/OpenBLAS.txt") == beside
        [blas] = json.loads(wheel.read(bill))["components"]
        digest = hashlib.sha256(wheel.read(blas["description"])).hexdigest()
        assert blas["hashes"] == [{"alg": "SHA-256", "content": digest}]
        libraries = {name for name in names if ".so" in name or ".dylib" in name}
        known = {blas["description"], "rnn_native/_core.abi3.so"}
        assert libraries == known, libraries
    print(f"{path}: licenses and sboms are right")
