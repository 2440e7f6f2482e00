#!/usr/bin/python3
"""A second implementation of pg_steward's formats, and its test vectors.

Written from docs/formats.md, on other libraries than the extension: OpenSSL
(python3-cryptography) for ChaCha20-Poly1305, hashlib for BLAKE2b, base64 of
the standard library, and SipHash-2-4 spelled out. The formats are in formats/;
this is the command over them.

    second.py --generate            print the vectors as JSON
    second.py --check FILE          test that FILE holds exactly these vectors
                                    and that its values and wraps open (TAP)
    second.py --lines FILE          the vectors of FILE, one a line, for peer.c
    second.py --verify-c PROGRAM    exchange fresh random values with peer.c (TAP)
    second.py --journal KEYRING FILE    read a revocation journal: what it is, then
                                    kind, realm and subject of each record
"""
import argparse
import json
import sys

from formats.check import as_line, check, verify_c
from formats.journal import read_journal
from formats.text import read_keyring
from formats.vectors import all_vectors, as_json


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument('--generate', action='store_true')
    action.add_argument('--check', metavar='FILE')
    action.add_argument('--lines', metavar='FILE')
    action.add_argument('--verify-c', metavar='PROGRAM')
    action.add_argument('--journal', nargs=2, metavar=('KEYRING', 'FILE'))
    chosen = parser.parse_args()
    if chosen.generate:
        sys.stdout.write(as_json(all_vectors()))
    elif chosen.lines:
        with open(chosen.lines, encoding='utf-8') as file:
            print('\n'.join(map(as_line, json.load(file)['vectors'])))
    elif chosen.journal:
        keyring, journal = (open(name, 'rb').read() for name in chosen.journal)
        records, state = read_journal(read_keyring(keyring), journal)
        print(state)
        for record in records:
            print(record[1], record[32:48].hex(), record[48:64].hex())
    elif chosen.check:
        return check(chosen.check)
    else:
        return verify_c(chosen.verify_c)
    return 0


if __name__ == '__main__':
    sys.exit(main())
