"""Derived keys, wraps and values."""
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

LABEL = b'pg_steward/'
NONCE = bytes(12)
VALUE_TYPES = {1: 'text', 2: 'bytea', 3: 'jsonb', 4: 'bigint', 5: 'numeric',
               6: 'date', 7: 'timestamptz'}
WRAP_KINDS = {1: 'key version', 2: 'index secret', 3: 'hash secret',
              4: 'subject secret', 5: 'tombstone'}
MASK = 2 ** 64 - 1


class Refused(Exception):
    """Bytes that must not be accepted."""


# Primitives

def blake2b(size, message, key=b''):
    return hashlib.blake2b(message, digest_size=size, key=key).digest()


def rotate(word, count):
    return (word << count | word >> (64 - count)) & MASK


def sip_round(v):
    v[0] = (v[0] + v[1]) & MASK
    v[1] = rotate(v[1], 13) ^ v[0]
    v[0] = rotate(v[0], 32)
    v[2] = (v[2] + v[3]) & MASK
    v[3] = rotate(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & MASK
    v[3] = rotate(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & MASK
    v[1] = rotate(v[1], 17) ^ v[2]
    v[2] = rotate(v[2], 32)


def siphash(key, message, size):
    """SipHash-2-4 with 8 or 16 bytes of output."""
    k0, k1 = (int.from_bytes(key[i:i + 8], 'little') for i in (0, 8))
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
         k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]
    if size == 16:
        v[1] ^= 0xee
    whole = len(message) // 8 * 8
    last = int.from_bytes(message[whole:], 'little') | (len(message) & 0xff) << 56
    words = [int.from_bytes(message[i:i + 8], 'little') for i in range(0, whole, 8)]
    for word in words + [last]:
        v[3] ^= word
        sip_round(v)
        sip_round(v)
        v[0] ^= word
    v[2] ^= 0xee if size == 16 else 0xff
    out = b''
    for half in range(size // 8):
        if half == 1:
            v[1] ^= 0xdd
        for _ in range(4):
            sip_round(v)
        out += (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, 'little')
    return out


# Names and derived keys

def key_id(path):
    number = int.from_bytes(blake2b(32, LABEL + b'key-id/1' + path)[:4], 'big')
    return (number & 0x7fffffff or 1).to_bytes(4, 'big')


def root_id(root):
    return blake2b(32, LABEL + b'root-id/1', root)[:8]


def key_tag(key):
    return blake2b(32, LABEL + b'key-tag/1', key)[:4]


def transient_key(root):
    return blake2b(32, LABEL + b'transient/1', root)


def subject_key(version, secret):
    return blake2b(32, LABEL + b'subject/1' + secret, version)


def hedge_key(key):
    return blake2b(16, LABEL + b'hedge/1', key)


def tag_keys(secret):
    return blake2b(16, LABEL + b'hash/1', secret), blake2b(16, LABEL + b'unique/1', secret)


def subject_digest_key(secret):
    return blake2b(32, LABEL + b'subject-digest/1', secret)


def subject_digest(key, kind, name):
    return blake2b(32, len(kind).to_bytes(4, 'big') + kind + name, key)


def index_key(secret, salt, column):
    return blake2b(32, LABEL + b'index/1' + salt + column.to_bytes(2, 'big'), secret)[:16]


def hash_tag(key, canonical):
    return siphash(key, canonical, 8)[::-1]     # the number, big-endian


def unique_tag(key, canonical):
    return siphash(key, canonical, 16)


# Wraps

def index_secret_ids(keyid, generation):
    return keyid + (generation - 1).to_bytes(4, 'big') + bytes(8)


def wrap_keys(root, context, salt):
    both = blake2b(64, LABEL + b'wrap/1' + context + salt, root)
    return both[:32], both[32:]


def wrap(root, realm, kind, ids, secret, salt):
    context = realm + kind + ids
    key, commitment = wrap_keys(root, context, salt)
    return b'\1' + salt + commitment + ChaCha20Poly1305(key).encrypt(NONCE, secret, context)


def unwrap(root, realm, kind, ids, wrapped):
    if len(wrapped) != 105 or wrapped[0] != 1:
        raise Refused('no wrap')
    context = realm + kind + ids
    key, commitment = wrap_keys(root, context, wrapped[1:25])
    if commitment != wrapped[25:57]:
        raise Refused('commitment')
    try:
        return ChaCha20Poly1305(key).decrypt(NONCE, wrapped[57:], context)
    except InvalidTag:
        raise Refused('tag') from None


# Values

def value_keys(key, header, salt):
    both = blake2b(48, LABEL + b'value/1' + header + salt, key)
    return both[:32], both[32:]


def seal(key, kind, keyid, tag, plain, random, subject=b''):
    return seal_under(key, bytes([1, 1, kind[0], 1 if subject else 0]) + keyid + tag + subject,
                      plain, random)


def seal_under(key, header, plain, random):
    mixed = siphash(hedge_key(key), plain, 16)
    salt = bytes(a ^ b for a, b in zip(random, mixed)) + random[16:]
    value_key, commitment = value_keys(key, header, salt)
    return header + salt + commitment + ChaCha20Poly1305(value_key).encrypt(NONCE, plain, header)


def parse(datum):
    """Header, salt, commitment, ciphertext with tag."""
    if len(datum) < 68:
        raise Refused('truncated')
    if datum[0] != 1 or datum[1] != 1 or datum[2] not in VALUE_TYPES:
        raise Refused('format, suite or type')
    if datum[3] & 0xfe or datum[4] & 0x80:
        raise Refused('flags or key id')
    end = 28 if datum[3] & 1 else 12
    if len(datum) < end + 56:
        raise Refused('truncated')
    return datum[:end], datum[end:end + 24], datum[end + 24:end + 40], datum[end + 40:]


def open_value(key, datum):
    header, salt, expected, body = parse(datum)
    value_key, commitment = value_keys(key, header, salt)
    if commitment != expected:
        raise Refused('commitment')
    try:
        return ChaCha20Poly1305(value_key).decrypt(NONCE, body, header)
    except InvalidTag:
        raise Refused('tag') from None
