"""Proofs and exports as files: C2SP tlog-proof, tlog-witness, and docs/formats.md."""
from .note import decode, encode, number, open_checkpoint, open_prune, places_digest
from .tree import Refused, check_consistency, check_inclusion, frontier_root, grow, leaf_hash

HEADER = b'c2sp.org/tlog-proof@v1\n'


def inclusion_file(leaf, index, hashes, checkpoint):
    extra = b'' if leaf is None else b'extra %s\n' % encode(leaf).encode()
    return HEADER + extra + b'index %d\n' % index + hash_lines(hashes) + b'\n' + checkpoint


def consistency_file(old_size, hashes, checkpoint):
    return b'old %d\n' % old_size + hash_lines(hashes) + b'\n' + checkpoint


def hash_lines(hashes):
    return b''.join(encode(content).encode() + b'\n' for content in hashes)


def as_text(content):
    try:
        return content.decode('ascii')
    except UnicodeDecodeError as error:
        raise Refused('not ASCII') from error


def split_proof(content):
    """The lines before the empty line, and the checkpoint."""
    head, found, checkpoint = content.partition(b'\n\n')
    if not found:
        raise Refused('no empty line')
    return as_text(head).split('\n'), checkpoint


def take(lines, word):
    if not lines or not lines[0].startswith(word + ' '):
        raise Refused('no %s' % word)
    return lines.pop(0)[len(word) + 1:]


def hashes_of(lines):
    if len(lines) > 64:
        raise Refused('too many hashes')
    return [decode(line, 32) for line in lines]


def verify_inclusion(key, content, record=None):
    """(index, leaf, size) of an inclusion proof."""
    lines, checkpoint = split_proof(content)
    if lines.pop(0) + '\n' != HEADER.decode():
        raise Refused('no proof')
    extra = take(lines, 'extra') if lines and lines[0].startswith('extra ') else None
    if extra is not None:
        decode(extra)
    if record is not None:
        record = as_text(record.removesuffix(b'\n'))
        if extra not in (None, record):
            raise Refused('another record')
        extra = record
    if extra is None:
        raise Refused('no record')
    leaf = decode(extra)
    index = number(take(lines, 'index'))
    size, root = open_checkpoint(checkpoint, key)
    check_inclusion(index, size, leaf_hash(leaf), hashes_of(lines), root)
    return index, leaf, size


def verify_consistency(key, old, content, new=None):
    """Sizes of the old and the new checkpoint."""
    old_size, old_root = open_checkpoint(old, key)
    lines, checkpoint = split_proof(content)
    if number(take(lines, 'old')) != old_size:
        raise Refused('another old checkpoint')
    new_size, new_root = open_checkpoint(checkpoint, key)
    if new is not None and open_checkpoint(new, key) != (new_size, new_root):
        raise Refused('another new checkpoint')
    check_consistency(old_size, new_size, old_root, new_root, hashes_of(lines))
    return old_size, new_size


def exported_hash(line):
    if line.startswith(b'hash '):
        return decode(as_text(line[5:]), 32)
    if not line:
        raise Refused('an empty line')
    return leaf_hash(decode(as_text(line)))


def verify_export(key, checkpoint, lines, prune=None):
    """(first leaf, size) of an export, given as lines that end in a newline."""
    expected, root = open_checkpoint(checkpoint, key)
    size, hashes, head, places, allowed = 0, [], None, [], (0, places_digest(()))
    if prune is not None:
        size, hashes, head_size, head_root, _, allowed = open_prune(prune, key)
        head = (head_size, head_root)
    first = size
    for line in lines:
        if not line.endswith(b'\n') or size >= expected:
            raise Refused('no line of this log')
        if line.startswith(b'hash '):
            places.append(size)
        hashes = grow(size, hashes, exported_hash(line[:-1]))
        size += 1
        if head and size == head[0] and frontier_root(hashes) != head[1]:
            raise Refused('the certificate is of another tree')
    if size != expected or frontier_root(hashes) != root:
        raise Refused('another tree')
    if (len(places), places_digest(places)) != allowed:
        raise Refused('hashes stand for records that were not pruned')
    return first, size
