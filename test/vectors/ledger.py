#!/usr/bin/python3
"""A second verifier of what the ledger gives out, written from the specifications.

It does what pg_steward_verify does, with other code and on other libraries: hashlib,
base64 and OpenSSL (python3-cryptography).

    ledger.py checkpoint  --key VKEY FILE
    ledger.py inclusion   --key VKEY --proof FILE [--record FILE]
    ledger.py consistency --key VKEY --old FILE --proof FILE [--new FILE]
    ledger.py export      --key VKEY --checkpoint FILE [--prune FILE] RECORDS
    ledger.py prune       --key VKEY FILE
    ledger.py vectors                 print the fixed vectors, ledger.txt
    ledger.py exchange PEER VERIFY    compare with the crypto floor (ledger_peer.c)
                                      and with pg_steward_verify (TAP)

--key may be given again for a key that the log had before. Exit code: 0 verified, 1 not verified, 2 wrong arguments or unreadable file.
"""
import argparse
import sys

from transparency.exchange import exchange
from transparency.files import verify_consistency, verify_export, verify_inclusion
from transparency.leaf import read_leaf
from transparency.note import Key, Keys, open_checkpoint, open_prune
from transparency.tree import Refused
from transparency.vectors import as_text


def slurp(name):
    if name is None:
        return None
    with open(name, 'rb') as file:
        return file.read()


def describe(leaf):
    try:
        return ' '.join('%s=%s' % (name, value.hex() if isinstance(value, bytes) and name != 'op' else value)
                        for name, value in read_leaf(leaf).items())
    except Refused:
        return leaf.hex()


def verify(chosen, key):
    if chosen.command == 'checkpoint':
        size, root = open_checkpoint(slurp(chosen.file), key)
        return '%d leaves, root %s' % (size, root.hex())
    if chosen.command == 'prune':
        boundary, _, size, _, segment, (removed, _) = open_prune(slurp(chosen.file), key)
        return 'boundary %d of %d, %d removed behind it, segment %d' % (boundary, size, removed, segment)
    if chosen.command == 'inclusion':
        index, leaf, size = verify_inclusion(key, slurp(chosen.proof), slurp(chosen.record))
        return 'leaf %d of %d\n%s' % (index, size, describe(leaf))
    if chosen.command == 'consistency':
        return '%d in %d' % verify_consistency(key, slurp(chosen.old), slurp(chosen.proof), slurp(chosen.new))
    with open(chosen.records, 'rb') as lines:
        return 'leaves %d to %d' % verify_export(key, slurp(chosen.checkpoint), lines, slurp(chosen.prune))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    for name, options in (('checkpoint', 'file'), ('prune', 'file'),
                          ('inclusion', '--proof --record?'), ('consistency', '--old --proof --new?'),
                          ('export', '--checkpoint --prune? records')):
        command = commands.add_parser(name)
        command.add_argument('--key', required=True, action='append')
        for option in options.split():
            required = {'required': not option.endswith('?')} if option.startswith('-') else {}
            command.add_argument(option.rstrip('?'), **required)
    commands.add_parser('vectors')
    command = commands.add_parser('exchange')
    command.add_argument('peer')
    command.add_argument('program')
    return parser.parse_args()


def main():
    chosen = arguments()
    if chosen.command == 'exchange':
        return exchange(chosen.peer, chosen.program)
    if chosen.command == 'vectors':
        sys.stdout.write(as_text())
        return 0
    try:
        key = Keys([Key.parse(text) for text in chosen.key])
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    try:
        print('ok:', verify(chosen, key))
    except Refused as error:
        print('not verified:', error, file=sys.stderr)
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
