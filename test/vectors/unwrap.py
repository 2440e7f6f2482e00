#!/usr/bin/env python3
"""Unwraps keys by the second implementation, for tests that look for leaks.

Reads "realm HEX" and "wrap KIND IDS WRAPPED" lines, and the keyring named on the
command line. Prints "NAME HEX" for each root, each unwrapped secret and what is
derived from them: everything that must be nowhere but in a server's memory.
"""
import sys

from formats.seal import Refused, tag_keys, transient_key, unwrap
from formats.text import read_keyring


def unwrapped(roots, realm, kind, ids, wrapped):
    for root in roots:
        try:
            return unwrap(root, realm, kind, ids, wrapped)
        except Refused:
            pass
    raise SystemExit('a wrap does not open under any root of the keyring')


def derived(roots, lines):
    realm = None
    for root in roots:
        yield 'root', root
        yield 'transient', transient_key(root)
    for words in lines:
        if words[0] == 'realm':
            realm = bytes.fromhex(words[1])
            continue
        kind, ids, wrapped = (bytes.fromhex(word) for word in ('0' + words[1], words[2], words[3]))
        secret = unwrapped(roots, realm, kind, ids, wrapped)
        yield 'secret%d' % kind[0], secret
        if kind[0] == 3:
            hash_key, unique_key = tag_keys(secret)
            yield 'tags', hash_key + unique_key


def main():
    with open(sys.argv[1], 'rb') as file:
        roots = read_keyring(file.read())
    for name, value in derived(roots, [line.split() for line in sys.stdin if line.strip()]):
        print(name, value.hex())


if __name__ == '__main__':
    main()
