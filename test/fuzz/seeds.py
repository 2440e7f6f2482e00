#!/usr/bin/python3
"""Writes the fuzzers' seed corpus, with the second implementation.

    seeds.py DIRECTORY      fills DIRECTORY/datum, /armour, /journal, /keyring and /plain
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'vectors'))
sys.dont_write_bytecode = True

# Found through the lines above.
from formats import plaintext, seal, text, vectors  # noqa: E402
from formats.journal import append_records  # noqa: E402


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


def write(directory, name, seeds):
    folder = pathlib.Path(directory, name)
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / ('seed%03d' % number)).write_bytes(seed)


if __name__ == '__main__':
    write(sys.argv[1], 'datum', values())
    write(sys.argv[1], 'armour', map(text.armour, values()))
    write(sys.argv[1], 'journal', journals())
    write(sys.argv[1], 'keyring', keyrings())
    write(sys.argv[1], 'plain', plains())
