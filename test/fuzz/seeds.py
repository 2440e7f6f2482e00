#!/usr/bin/python3
"""Writes the fuzzers' seed corpus, with the second implementation.

    seeds.py DIRECTORY      fills DIRECTORY/datum, /armour, /blind_codec, /journal, /keyring,
                            /note, /plain, /proof, /schedule and /spool
"""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'vectors'))
sys.dont_write_bytecode = True

# Found through the lines above.
from formats import plaintext, seal, text, vectors  # noqa: E402
from formats.journal import append_records  # noqa: E402
from transparency import files, leaf, note, tree  # noqa: E402


def values():
    key = bytes(range(32))
    for size in (0, 1, 16, 100):
        for kind in seal.VALUE_TYPES:
            for subject in (b'', bytes(range(16))):
                yield seal.seal(key, bytes([kind]), seal.key_id(b'pii'), seal.key_tag(key),
                                  vectors.fixed('seed', size), vectors.fixed('salt', 24), subject)


def keyrings():
    lines = [text.keyring_line(vectors.fixed('root %d' % i, 32)) for i in range(17)]
    yield lines[0]
    yield lines[0] + lines[1]
    yield lines[0][:-1]
    yield b'# comment\n\n' + lines[0].replace(b'\n', b'\r\n')
    yield lines[0] + lines[0]
    yield b''.join(lines[:16])
    yield b''.join(lines)
    yield b'root 0123456789abcdef' + lines[0][21:]


def plains():
    for kind in (3, 5):
        for text in vectors.PLAIN_TEXTS[kind]:
            yield plaintext.encode(kind, text)


def journals():
    roots = [bytes(range(i, i + 32)) for i in range(2)]
    journal = b''
    for i in range(6):
        journal = append_records(journal, roots[i % 2], [
            (1 + (i > 0), b'realm one'.ljust(16, b'\0'), vectors.fixed('subject %d' % j, 16))
            for j in range(1 + i % 3)], i)
        yield b'\0' + journal
    yield b'\0' + journal[:-40]
    yield b'\0' + journal + bytes(500)
    yield b'\0' + journal[:256] + journal[384:]
    for first in range(5):
        yield b'\1' + bytes([1, 20, 3, 130]) + bytes([first, 2, 7, first + 5, 1, 3])


def spools():
    head = b'pgstwspl' + struct.pack('>II', 1, 0) + bytes(16)
    yield head
    yield head + struct.pack('>I', 4) + b'body' + bytes(8)
    yield head + bytes(100)
    for count in (1, 5, 60):
        yield b'\1' + bytes(range(count))


def bits(*fields):
    """Bits of (numbers, width) one after the other; width None is unary."""
    out = ''
    for numbers, width in fields:
        for number in numbers:
            out += '0' * number + '1' if width is None else format(number, '0%db' % width)[::-1] if width else ''
    out += '0' * (-len(out) % 8)
    return bytes(int(out[i:i + 8][::-1], 2) for i in range(0, len(out), 8))


def packed(tag_bytes, segments):
    """A packed part of (tag, block, per_block, count, runs, low_bits, tid_bits, data)."""
    offset = 4 + len(segments) * (12 + tag_bytes)
    directory = data = b''
    for tag, block, per_block, count, runs, low_bits, tid_bits, part in segments:
        directory += struct.pack('<IHHBBBB', block, per_block, offset + len(data), count - 1, runs, low_bits, tid_bits)
        directory += tag.to_bytes(tag_bytes, 'little')
        data += part
    return bytes([tag_bytes - 1]) + struct.pack('<HH', sum(s[3] for s in segments), len(segments)) + directory + data


def blind_packed():
    steps = [0, 0, 2, 0, 1, 0, 0, 3] * 16
    one = [i * 3 for i in range(128)]
    yield packed(5, [])
    for tag_bytes in (1, 5, 16):
        unique = (3, 9, 57, 128, 0, 0, 9, bits((one, 9), (steps, None)))
        run = (200, 4, 7, 128, 1, 0, 0, bits(([0], None), ([0] + [2] * 127, None)))
        runs = (201, 4, 7, 6, 2, 0, 2, bits(([3], 32), ([1, 3, 0, 3, 0, 1], 2), ([0, 2], None), ([0, 0, 5, 0, 1, 0], None)))
        yield packed(tag_bytes, [unique])
        yield packed(tag_bytes, [unique, run])
        yield packed(tag_bytes, [unique, run, runs])
        for how in (0x10, 0x21, 0xf2, 0x00, 0x03):
            step = bytes([how]) + bytes(range(1, how % 16 + 1))
            yield bytes([16 + tag_bytes - 1, 0, 31, 20, 1]) + step * (400 // len(step))
            yield bytes([16 + tag_bytes - 1, 0, 1, 9, 64]) + (step + b'\x10' * 80) * 4


LEDGER_KEY = note.Key.of_seed('log.example/steward/1', bytes(range(32)))
LEAVES = [leaf.opening_leaf(1, bytes(32), b'a signed checkpoint')] + [
    leaf.record_leaf(1, 700 + i, i, -i, i, -i, b'I', bytes(32), bytes(32), bytes(i)) for i in range(20)]
HASHES = list(map(tree.leaf_hash, LEAVES))


def head(size):
    return note.checkpoint_text(LEDGER_KEY.name, size, tree.root(HASHES[:size]))


def notes():
    yield b'\0' + LEDGER_KEY.text().encode()
    yield b'\0example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
    for size in (0, 1, 7, 20):
        prune = note.prune_text(LEDGER_KEY.name, size // 2, tree.frontier(HASHES[:size // 2]), size,
                                tree.root(HASHES[:size]), 3)
        for text in (head(size), prune, head(size) + 'an extension\n', '\n' + prune):
            yield b'\1' + LEDGER_KEY.sign(text)
            yield b'\1' + LEDGER_KEY.sign(text) + '\u2014 witness.example AAAAAAA=\n'.encode()
            yield b'\2' + text.encode()


def proofs():
    for size in (1, 7, 20):
        checkpoint = LEDGER_KEY.sign(head(size))
        for at in {0, size // 2, size - 1}:
            path, growth = tree.path(at, HASHES[:size]), tree.proof(at, HASHES[:size])
            yield b'\0' + files.inclusion_file(LEAVES[at], at, path, checkpoint)
            yield b'\0' + files.inclusion_file(None, at, path, checkpoint)
            yield b'\1' + files.consistency_file(at, growth, checkpoint)
            yield b'\5' + at.to_bytes(8, sys.byteorder) + size.to_bytes(8, sys.byteorder) + b''.join(path)
            yield b'\5' + at.to_bytes(8, sys.byteorder) + size.to_bytes(8, sys.byteorder) + b''.join(growth)
            yield b'\3' + LEAVES[at]
        yield b'\2' + b''.join(note.encode(content).encode() + b'\n' for content in LEAVES[:size])
        yield b'\2' + b''.join(b'hash ' + note.encode(content).encode() + b'\n' for content in HASHES[:size])
        yield b'\4' + size.to_bytes(8, sys.byteorder) + b''.join(tree.frontier(HASHES[:size]))


def schedules():
    for number, schedule in enumerate((
            '* * * * *', '30 2 * * *', '*/15 1-5,22 1,15 jan-mar,dec mon-fri', '0 0 29 2 */7', '0 0 13 * fri',
            '59 23 31 */2 *', '@hourly', '@daily', '@weekly', '@monthly', '@yearly', '6 hours', '1 day', '1 month 2 days',
            '2 years 1 week 90 min 30 sec', '1 day 06:00:05', '0 0 30 2 *', '1 fortnight')):
        for zone in (1, 130, 255):
            yield bytes([zone]) + vectors.fixed('schedule %d' % number, 16) + schedule.encode()


def write(directory, name, seeds):
    folder = pathlib.Path(directory, name)
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / ('seed%03d' % number)).write_bytes(seed)


if __name__ == '__main__':
    write(sys.argv[1], 'datum', values())
    write(sys.argv[1], 'armour', map(text.armour, values()))
    write(sys.argv[1], 'blind_codec', blind_packed())
    write(sys.argv[1], 'journal', journals())
    write(sys.argv[1], 'keyring', keyrings())
    write(sys.argv[1], 'note', notes())
    write(sys.argv[1], 'plain', plains())
    write(sys.argv[1], 'proof', proofs())
    write(sys.argv[1], 'schedule', schedules())
    write(sys.argv[1], 'spool', spools())
