"""Leaves and digests of rows: docs/formats.md."""
import struct

from .tree import Refused, sha256

RECORD = struct.Struct('>BIQIqqqc32s32sI')
OPENING = struct.Struct('>BI32sI')


def record_leaf(incarnation, xid, seq, started_at, changed_at, written_at, op, context, schema, payload):
    return RECORD.pack(1, incarnation, xid, seq, started_at, changed_at, written_at, op, context, schema,
                       len(payload)) + payload


def opening_leaf(incarnation, identity, parent=b''):
    return OPENING.pack(2, incarnation, identity, len(parent)) + parent


def read_leaf(leaf):
    """Names and values of what a leaf holds."""
    if leaf[:1] == b'\1' and len(leaf) >= RECORD.size:
        names = 'incarnation xid seq started_at changed_at written_at op context schema length'.split()
        fields, rest = RECORD.unpack_from(leaf), leaf[RECORD.size:]
    elif leaf[:1] == b'\2' and len(leaf) >= OPENING.size:
        names = 'incarnation identity length'.split()
        fields, rest = OPENING.unpack_from(leaf), leaf[OPENING.size:]
    else:
        raise Refused('no leaf of this ledger')
    read = dict(zip(names, fields[1:]))
    if read.pop('length') != len(rest):
        raise Refused('no leaf of this ledger')
    read['payload' if leaf[0] == 1 else 'parent'] = rest
    return read


def row_digest(table, fields):
    """Of bytes, or None for NULL."""
    return sha256(b'steward-row/1:' + table.encode() + b'\n',
                  *(b'\xff\xff\xff\xff' if field is None else struct.pack('>I', len(field)) + field
                    for field in fields))
