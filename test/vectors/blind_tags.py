#!/usr/bin/env python3
"""Looks for tags of values in the file of a blind index, by the second implementation.

Command line: keyring, file of the index. Input: "realm HEX" and "wrap KIND IDS WRAPPED"
lines, then "value NAME HEX HEX …" lines: the canonical bytes of the values of a row, one for
each column of the index; of a class of several tags a value one string, "-" being the empty
one. Prints for each value "NAME entries E bounds B bytes Y": how many
entries have its tag, how many bounds of pages (high keys and separators), and how often the tag's bytes are
anywhere in the file. For a "bounds NAME HEX HEX …" line it prints the TIDs of the bounds that have
the tag, as BLOCK,OFFSET.
"""
import sys

from formats.seal import index_key, siphash, unwrap
from formats.text import read_keyring

PAGE = 8192
HEADER = 24
SPECIAL = 40
LINK_KEY = 1 << 15


def number(data, at, size):
    return int.from_bytes(data[at:at + size], 'little')


class Meta:
    def __init__(self, page):
        at = HEADER
        self.columns = number(page, at + 6, 2)
        self.salt = page[at + 20:at + 36]
        self.generations = [number(page, at + 36 + 4 * i, 4) for i in range(self.columns)]
        self.bits = list(page[at + 164:at + 164 + self.columns])
        self.tag_bytes = (sum(self.bits) + 7) // 8


class Bits:
    """A bit string, low bits of each byte first."""

    def __init__(self, data):
        self.number = int.from_bytes(data, 'little')

    def take(self, count):
        value = self.number & ((1 << count) - 1)
        self.number >>= count
        return value

    def unary(self, count):
        above = 0
        for _ in range(count):
            assert self.number, 'a bit string ends too early'
            while not self.take(1):
                above += 1
            yield above


def segment_tags(data, first, count, runs, low_bits, tid_bits):
    bits = Bits(data)
    if runs > 1:
        bits.take(32)
    tags = runs or count
    lows = [bits.take(low_bits) for _ in range(tags)]
    bits.take(count * tid_bits)
    offsets = [above << low_bits | low for above, low in zip(bits.unary(tags), lows)]
    return [first + offset for offset in offsets]


def packed_tags(packed, tag_bytes):
    entries, segments = number(packed, 0, 2), number(packed, 2, 2)
    width = 12 + tag_bytes
    directory = [packed[4 + i * width:4 + (i + 1) * width] for i in range(segments)]
    begins = [number(entry, 6, 2) for entry in directory] + [len(packed)]
    seen = 0
    for i, entry in enumerate(directory):
        count, runs, low_bits, tid_bits = entry[8] + 1, entry[9], entry[10], entry[11]
        seen += count
        yield from segment_tags(packed[begins[i]:begins[i + 1]], number(entry, 12, tag_bytes),
                                count, runs, low_bits, tid_bits)
    assert seen == entries, 'a packed part does not add up'


def leaf_tags(page, tag_bytes):
    lower, packed_end = number(page, 12, 2), number(page, HEADER, 2)
    yield from packed_tags(page[HEADER + 2:packed_end], tag_bytes)
    for at in range(packed_end, lower, tag_bytes + 6):
        yield number(page, at, tag_bytes)


def separators(page, tag_bytes):
    count, wide = number(page, HEADER, 2), number(page, HEADER + 2, 2)
    width = tag_bytes + (6 if wide else 0)
    for i in range(count):
        at = HEADER + 4 + i * width
        yield number(page, at, tag_bytes), number(page, at + tag_bytes, 6) if wide else 0


def read(data, tag_bytes):
    """Tags of all entries (each run once for a segment), and all bounds with their TIDs."""
    entries, bounds = [], []
    for at in range(PAGE, len(data), PAGE):
        page = data[at:at + PAGE]
        if not any(page):
            continue
        special = page[PAGE - SPECIAL:]
        if not number(special, 30, 2) & 2:
            bounds.append((number(special, 0, 16), number(special, 16, 8)))
        if number(special, 28, 2) == 0:
            entries.extend(leaf_tags(page, tag_bytes))
        else:
            bounds.extend(separators(page, tag_bytes))
    return entries, bounds


def tag_of(meta, secret, values):
    tag, link = 0, b''
    for column, value in enumerate(values):
        link_key = index_key(secret(meta.generations[column]), meta.salt, column + 1 + LINK_KEY)
        digest = siphash(index_key(secret(meta.generations[column]), meta.salt, column + 1), value, 16)
        link = digest if column == 0 else siphash(link_key, b'\1' + link + digest, 16)
        bits = meta.bits[column]
        tag = tag << bits | int.from_bytes(link, 'big') >> (128 - bits)
    return tag


def main():
    with open(sys.argv[1], 'rb') as file:
        root, = read_keyring(file.read())
    with open(sys.argv[2], 'rb') as file:
        data = file.read()
    meta = Meta(data[:PAGE])
    entries, bounds = read(data, meta.tag_bytes)
    realm, secrets = None, {}
    for words in (line.split() for line in sys.stdin if line.strip()):
        if words[0] == 'realm':
            realm = bytes.fromhex(words[1])
        elif words[0] == 'wrap':
            ids = bytes.fromhex(words[2])
            secrets[int.from_bytes(ids[4:8], 'big') + 1] = unwrap(root, realm, b'\2', ids, bytes.fromhex(words[3]))
        else:
            tag = tag_of(meta, secrets.get, [bytes.fromhex(word.strip('-')) for word in words[2:]])
            tids = [tid for bound, tid in bounds if bound == tag]
            if words[0] == 'bounds':
                print(words[1], *(f'{tid >> 16},{tid & 0xFFFF}' for tid in tids))
            else:
                print(words[1], 'entries', entries.count(tag), 'bounds', len(tids),
                      'bytes', data.count(tag.to_bytes(meta.tag_bytes, 'little')))


if __name__ == '__main__':
    main()
