"""Signed notes, checkpoints and prune certificates: C2SP signed-note and tlog-checkpoint."""
import base64
import binascii
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from .tree import Refused, frontier_root, sha256

DASH = '\u2014 '
PRUNE_TITLE = 'pg_steward prune certificate 1'
MAX_NUMBER = 2 ** 63 - 1


def encode(content):
    return base64.b64encode(content).decode()


def decode(text, size=None):
    """Canonical base64 alone."""
    try:
        content = base64.b64decode(text.encode('ascii'), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused('bad base64') from error
    if encode(content) != text or (size is not None and len(content) != size):
        raise Refused('bad base64')
    return content


def number(text, most=MAX_NUMBER):
    if not re.fullmatch('0|[1-9][0-9]{0,19}', text, re.ASCII) or int(text) > most:
        raise Refused('bad number')
    return int(text)


def is_name(name):
    """str.isspace also counts U+001C to U+001F, which no note may contain anyway."""
    return (name != '' and len(name.encode()) <= 255 and '+' not in name
            and not any(c.isspace() or c < ' ' for c in name))


def text_of(note):
    try:
        text = note.decode('utf-8')
    except UnicodeDecodeError as error:
        raise Refused('no UTF-8') from error
    if any(c < ' ' and c != '\n' for c in text) or not text.endswith('\n'):
        raise Refused('no note')
    return text


class Key:
    """A verifier key, and with a seed also a signer."""

    def __init__(self, name, public_key, seed=None):
        if not is_name(name):
            raise Refused('bad name')
        self.name, self.public_key, self.seed = name, public_key, seed
        self.id = sha256(name.encode() + b'\n\1' + public_key)[:4]

    @classmethod
    def of_seed(cls, name, seed):
        private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        raw = private.public_key().public_bytes(serialization.Encoding.Raw,
                                                serialization.PublicFormat.Raw)
        return cls(name, raw, seed)

    @classmethod
    def parse(cls, text):
        parts = text.split('+', 2)
        if len(parts) != 3:
            raise Refused('bad key')
        typed = decode(parts[2], 33)
        key = cls(parts[0], typed[1:])
        if typed[0] != 1 or parts[1] != key.id.hex():
            raise Refused('bad key')
        return key

    def text(self):
        return '%s+%s+%s' % (self.name, self.id.hex(), encode(b'\1' + self.public_key))

    def sign(self, text):
        """The note of a text."""
        private = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed)
        line = '%s%s %s\n' % (DASH, self.name, encode(self.id + private.sign(text.encode())))
        return (text + '\n' + line).encode()

    def is_right(self, signature, text):
        public = ed25519.Ed25519PublicKey.from_public_bytes(self.public_key)
        try:
            public.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Keys:
    """Verifier keys of one log, of which it may have had several."""

    def __init__(self, keys):
        self.name, self.known = keys[0].name, {(key.name, key.id): key for key in keys}
        if any(key.name != self.name for key in keys):
            raise Refused('the keys are of different logs')


def open_note(note, keys):
    """The text of a note that a key signed."""
    known = keys.known if isinstance(keys, Keys) else {(keys.name, keys.id): keys}
    text, found, lines = text_of(note).rpartition('\n\n')
    if not found or not lines or len(note) > 1024 * 1024:
        raise Refused('no note')
    text += '\n'
    verified = []
    for line in lines[:-1].split('\n'):
        name, found, signature = line.removeprefix(DASH).rpartition(' ')
        if (not line.startswith(DASH) or not found or name == '' or '+' in name
                or any(c.isspace() for c in name)):
            raise Refused('no signature line')
        signature = decode(signature)
        if len(signature) < 5:
            raise Refused('no signature')
        key = known.get((name, signature[:4]))
        if key:
            verified.append(len(signature) == 68 and key.is_right(signature[4:], text))
    if len(lines[:-1].split('\n')) > 64 or not verified or not all(verified):
        raise Refused('not signed by the key')
    return text


def checkpoint_text(origin, size, root):
    return '%s\n%d\n%s\n' % (origin, size, encode(root))


def open_checkpoint(note, key):
    """(size, root) of a checkpoint of the log that the key is of."""
    lines = open_note(note, key)[:-1].split('\n')
    if len(lines) < 3 or '' in lines[3:] or lines[0] != key.name:
        raise Refused('no checkpoint of this log')
    size, root = number(lines[1]), decode(lines[2], 32)
    if size == 0 and root != sha256():
        raise Refused('an empty tree with another root')
    return size, root


def places_digest(indexes):
    return sha256(*(index.to_bytes(8, 'big') for index in indexes))


def prune_text(origin, boundary, hashes, size, root, segment, places=()):
    return ''.join('%s\n' % line for line in (
        PRUNE_TITLE, 'origin ' + origin, 'boundary %d' % boundary,
        *('frontier ' + encode(content) for content in hashes),
        'size %d' % size, 'root ' + encode(root), 'segment %d' % segment,
        'removed %d' % len(places), 'places ' + encode(places_digest(places))))


def open_prune(note, key):
    """(boundary, frontier, size, root, segment, (count, digest) of places) of a prune certificate."""
    lines = open_note(note, key)[:-1].split('\n')
    if lines[:2] != [PRUNE_TITLE, 'origin ' + key.name]:
        raise Refused('no certificate of this log')
    words = [line.split(' ', 1) for line in lines[2:]]
    if any(len(word) != 2 for word in words):
        raise Refused('no certificate')
    boundary = number(words[0][1])
    count = bin(boundary).count('1')
    if [word[0] for word in words] != ['boundary'] + ['frontier'] * count + ['size', 'root', 'segment', 'removed', 'places']:
        raise Refused('no certificate')
    hashes = [decode(word[1], 32) for word in words[1:1 + count]]
    size, root, segment = number(words[-5][1]), decode(words[-4][1], 32), number(words[-3][1], 2 ** 31 - 1)
    removed, places = number(words[-2][1]), decode(words[-1][1], 32)
    if boundary > size or (boundary == size and frontier_root(hashes) != root):
        raise Refused('the boundary is not in the tree')
    if removed > size - boundary or (removed == 0 and places != places_digest(())):
        raise Refused('what was removed is not in the tree')
    return boundary, hashes, size, root, segment, (removed, places)
