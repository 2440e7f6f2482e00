#!/usr/bin/python3
"""A second implementation of pg_steward's formats, and its test vectors.

Written from docs/formats.md, on other libraries than the extension: OpenSSL
(python3-cryptography) for ChaCha20-Poly1305, hashlib for BLAKE2b, base64 of
the standard library, and SipHash-2-4 spelled out below.

    second.py --generate            print the vectors as JSON
    second.py --check FILE          test that FILE holds exactly these vectors
                                    and that its values and wraps open (TAP)
    second.py --lines FILE          the vectors of FILE, one a line, for peer.c
    second.py --verify-c PROGRAM    exchange fresh random values with peer.c (TAP)
    second.py --journal KEYRING FILE    read a revocation journal: what it is, then
                                    kind, realm and subject of each record
"""
import argparse
import base64
import decimal
import hashlib
import json
import re
import secrets
import subprocess
import sys

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


def hash_tag(key, canonical):
    return siphash(key, canonical, 8)[::-1]     # the number, big-endian


def unique_tag(key, canonical):
    return siphash(key, canonical, 16)


# Wraps

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


# Plaintext bytes, from SQL text

def numeric_digits(whole, fraction):
    """Digits to base 10000 around the point, and the weight of the first."""
    whole = whole.rjust(-(-len(whole) // 4) * 4, '0')
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, '0')
    both = whole + fraction
    groups = [int(both[i:i + 4]) for i in range(0, len(both), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    return groups, weight if groups else 0


def join_numeric(sign, scale, weight, *digits):
    return (bytes([sign]) + scale.to_bytes(2, 'big') + weight.to_bytes(2, 'big', signed=True) +
            b''.join(digit.to_bytes(2, 'big') for digit in digits))


def encode_numeric(text):
    special = {'NaN': 2, 'Infinity': 3, '-Infinity': 4}
    if text in special:
        return bytes([special[text]]) + bytes(4)
    whole, _, fraction = text.lstrip('-').partition('.')
    groups, weight = numeric_digits(whole, fraction)
    return join_numeric(text.startswith('-') and bool(groups), len(fraction), weight, *groups)


def trim_zeros(text):
    return text.rstrip('0').rstrip('.') if '.' in text else text


class Number(str):
    """A JSON number as numeric prints it."""
    def __new__(cls, written):
        shown = format(decimal.Decimal(written), 'f')
        return str.__new__(cls, shown[1:] if set(shown) <= set('-0.') and shown[0] == '-' else shown)


JSON_ESCAPES = {'"': '\\"', '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\n': '\\n',
                '\r': '\\r', '\t': '\\t'}


def show_string(text):
    return '"' + ''.join(JSON_ESCAPES.get(c) or ('\\u%04x' % ord(c) if c < ' ' else c)
                         for c in text) + '"'


def show_json(value, number=str):
    """The text of a jsonb: keys by length and then by their bytes, the last of equal ones."""
    if isinstance(value, Number):
        return number(value)
    if isinstance(value, str):
        return show_string(value)
    if isinstance(value, list):
        return '[' + ', '.join(show_json(element, number) for element in value) + ']'
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return '{' + ', '.join(show_string(key) + ': ' + show_json(value[key], number)
                               for key in keys) + '}'
    return {None: 'null', True: 'true', False: 'false'}[value]


def read_json(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def day_number(year, month, day):
    """Days since 2000-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 730425


INFINITE = {'infinity': 1, '-infinity': -1}


def read_date(text):
    date, _, era = text.partition(' ')
    year, month, day = (int(part) for part in date.split('-'))
    return day_number(1 - year if era == 'BC' else year, month, day)


def read_timestamptz(text):
    """YYYY-MM-DD HH:MM:SS.ffffff+HH:MM, perhaps with BC behind."""
    parts = re.fullmatch(r'(\S+) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?([+-])(\d\d)(?::(\d\d))?( BC)?',
                         text)
    date, hour, minute, second, fraction, sign, zone, zone_minute, era = parts.groups('')
    seconds = (read_date(date + era) * 24 + int(hour)) * 3600 + int(minute) * 60 + int(second)
    offset = int(zone) * 3600 + int(zone_minute or 0) * 60
    seconds -= offset if sign == '+' else -offset
    return seconds * 10 ** 6 + int(fraction.ljust(6, '0') or 0)


def signed(number, size):
    return number.to_bytes(size, 'big', signed=True)


def encode_time(read, size, text):
    if text in INFINITE:
        end = 2 ** (8 * size - 1)
        return signed(end - 1 if INFINITE[text] > 0 else -end, size)
    return signed(read(text), size)


def encode(kind, text):
    """Plaintext bytes of a type for a value written in SQL, ISO and \\x style."""
    return {1: str.encode, 2: lambda hexed: bytes.fromhex(hexed[2:]),
            3: lambda json_text: show_json(read_json(json_text)).encode(),
            4: lambda number: signed(int(number), 8), 5: encode_numeric,
            6: lambda date: encode_time(read_date, 4, date),
            7: lambda time: encode_time(read_timestamptz, 8, time)}[kind](text)


def canonical(kind, text):
    """The bytes that are compared, hashed and tagged."""
    if kind == 3:
        return show_json(read_json(text), trim_zeros).encode()
    if kind == 5:
        return encode_numeric(trim_zeros(text))
    return encode(kind, text)


# The revocation journal

RECORD = 128


def journal_key(root):
    return blake2b(32, LABEL + b'journal/1', root)


def journal_record(root, kind, part, number, time, realm, subject, previous):
    record = (bytes([1, kind, 0, 0]) + part.to_bytes(4, 'big') + root_id(root)
              + number.to_bytes(8, 'big') + time.to_bytes(8, 'big', signed=True)
              + realm + subject + previous)
    return record + blake2b(32, record, journal_key(root))


def append_records(journal, root, records, time=0):
    """One append to a journal that is whole: (kind, realm, subject) each."""
    for part, (kind, realm, subject) in enumerate(records):
        previous = journal[-32:] if journal else bytes(32)
        journal += journal_record(root, kind, part, len(journal) // RECORD + 1, time, realm,
                                  subject, previous)
    return journal


def journal_fields(slot):
    """Part, root id, number of a slot that has the form of a record, else None."""
    part, number = int.from_bytes(slot[4:8], 'big'), int.from_bytes(slot[16:24], 'big')
    if slot[0] != 1 or slot[1] not in (1, 2) or slot[2:4] != bytes(2) or number <= part:
        return None
    return part, slot[8:16], number


def read_journal(roots, journal):
    """The records that count, and what the journal is."""
    keys = {root_id(root): journal_key(root) for root in roots}
    slots = [journal[at:at + RECORD] for at in range(0, len(journal) // RECORD * RECORD, RECORD)]

    def is_good(slot):
        form = journal_fields(slot)
        return form and form[1] in keys and blake2b(32, slot[:96], keys[form[1]]) == slot[96:]

    end = 0
    while (end < len(slots) and is_good(slots[end]) and journal_fields(slots[end])[2] == end + 1
           and slots[end][64:96] == (slots[end - 1][96:] if end else bytes(32))):
        end += 1
    state = 'whole' if journal[end * RECORD:].strip(b'\0') == b'' and not len(journal) % RECORD else 'torn'
    form = journal_fields(slots[end]) if end < len(slots) else None
    if form and form[1] not in keys and form[2] == end + 1:
        return slots[:end], 'other root'
    for at in range(end, len(slots)):
        form = journal_fields(slots[at])
        if is_good(slots[at]):
            if at == end or form[2] != at + 1 or form[2] - 1 - form[0] > end:
                state = 'altered'
        elif form and form[1] not in keys and form[2] == at + 1 and state != 'altered':
            state = 'other root'
    return slots[:end], state


# Text forms

def armour(datum):
    return b'stw1:' + base64.urlsafe_b64encode(datum).rstrip(b'=')


def unarmour(text):
    if not text.startswith(b'stw1:'):
        raise Refused('prefix')
    try:
        datum = base64.b64decode(text[5:] + b'=' * (-len(text[5:]) % 4), b'-_', True)
    except ValueError:
        raise Refused('base64') from None
    if armour(datum) != text:
        raise Refused('not canonical')
    return datum


def keyring_line(root):
    return b'root ' + root_id(root).hex().encode() + b' ' + base64.b64encode(root) + b'\n'


def read_keyring(text):
    """The roots of a keyring, oldest first."""
    roots = []
    for line in text.split(b'\n'):
        line = line[:-1] if line.endswith(b'\r') else line
        if line == b'' or line.startswith(b'#'):
            continue
        try:
            root = base64.b64decode(line[22:], None, True)
        except ValueError:
            raise Refused('base64') from None
        if len(root) != 32 or keyring_line(root) != line + b'\n' or root in roots:
            raise Refused('line')
        roots.append(root)
    if not 1 <= len(roots) <= 16:
        raise Refused('count')
    return roots


# Vectors: a list of dictionaries. A name that ends in _text holds text, the
# rest hexadecimal; "construct" and "note" say what a vector is.

def fixed(name, size):
    """Inputs that anyone can make again, unlike each other."""
    blocks = (blake2b(64, b'%s %d' % (name.encode(), i)) for i in range(size // 64 + 1))
    return b''.join(blocks)[:size]


def vector(construct, note='', **fields):
    shown = {'construct': construct}
    if note:
        shown['note'] = note
    for name, content in fields.items():
        shown[name] = content.decode() if name.endswith('_text') else content.hex()
    return shown


def derivation_vectors():
    root, key, secret = (fixed(name, 32) for name in ('root', 'key version', 'secret'))
    hash_key, unique_key = tag_keys(secret)
    for path in ('pii', 'pii/customer.ssn', 'pii/Übergröße', ''):
        yield vector('key_id', path_text=path.encode(), id=key_id(path.encode()))
    yield vector('key_id', 'digest begins with 00000000, 0 becomes 1',
                 path_text=b'zero/1840566808', id=key_id(b'zero/1840566808'))
    yield vector('root_id', root=root, id=root_id(root))
    yield vector('key_tag', key=key, tag=key_tag(key))
    yield vector('transient', root=root, key=transient_key(root),
                 tag=key_tag(transient_key(root)))
    yield vector('subject_key', version=key, secret=secret, key=subject_key(key, secret))
    yield vector('hedge', key=key, hedge=hedge_key(key))
    yield vector('tag_keys', secret=secret, hash=hash_key, unique=unique_key,
                 subject=subject_digest_key(secret))
    for kind, name in (('customer', '42'), ('customer4', '2'), ('', ''), ('Kundin', 'Grüße')):
        yield vector('subject_digest', key=subject_digest_key(secret), kind_text=kind.encode(),
                     name_text=name.encode(),
                     digest=subject_digest(subject_digest_key(secret), kind.encode(),
                                           name.encode()))
    for size in (0, 1, 7, 8, 9, 100, 1000):
        text = fixed('canonical', size)
        yield vector('hash_tag', key=hash_key, canonical=text, number=hash_tag(hash_key, text))
        yield vector('unique_tag', key=unique_key, canonical=text,
                     tag=unique_tag(unique_key, text))


def wrap_vectors():
    root, realm, secret = fixed('root', 32), fixed('realm', 16), fixed('secret', 32)
    ids = {1: key_id(b'pii') + key_tag(secret) + bytes(8), 2: key_id(b'pii') + bytes(12),
           3: bytes(16), 4: fixed('subject', 16), 5: fixed('subject', 16)}
    for kind, name in WRAP_KINDS.items():
        salt = fixed('wrap salt %d' % kind, 24)
        arguments = root, realm, bytes([kind]), ids[kind]
        content = bytes(32) if kind == 5 else secret
        yield vector('wrap', name, root=root, realm=realm, kind=bytes([kind]), ids=ids[kind],
                     secret=content, salt=salt, wrapped=wrap(*arguments, content, salt))


def value_vector(note, key, kind, plain, subject=b'', keyid=None, tag=None):
    keyid, tag = keyid or key_id(b'pii/customer.ssn'), tag or key_tag(fixed('key version', 32))
    random = fixed('value salt ' + note, 24)
    datum = seal(key, bytes([kind]), keyid, tag, plain, random, subject)
    bound = {'subject': subject} if subject else {}
    return vector('value', note, key=key, type=bytes([kind]), key_id=keyid, key_tag=tag,
                  **bound, plain=plain, random=random, salt=parse(datum)[1], datum=datum)


def value_vectors():
    key, subject = fixed('key version', 32), fixed('subject', 16)
    transient = transient_key(fixed('root', 32))
    bound_key = subject_key(key, fixed('subject secret', 32))
    yield value_vector('not bound', key, 1, b'123-45-6789')
    yield value_vector('subject-bound', bound_key, 1, b'123-45-6789', subject)
    yield value_vector('empty', key, 1, b'')
    yield value_vector('empty, subject-bound', bound_key, 1, b'', subject)
    yield value_vector('transient', transient, 1, b'literal', b'', bytes(4), key_tag(transient))
    yield value_vector('1 kB', key, 2, fixed('plaintext', 1000))
    for size in (15, 16, 17, 63, 64, 65):
        yield value_vector('%d bytes' % size, key, 2, fixed('plaintext', size))
    plains = {1: 'Grüße'.encode(), 2: bytes(range(20)), 3: b'{"a": 1}',
              4: (-2).to_bytes(8, 'big', signed=True), 5: bytes(12),
              6: (9999).to_bytes(4, 'big'), 7: (10 ** 15).to_bytes(8, 'big')}
    for kind, name in VALUE_TYPES.items():
        yield value_vector('type ' + name, key, kind, plains[kind])


def text_vectors():
    root = fixed('root', 32)
    for size in (0, 1, 2, 3, 68):
        yield vector('armour', bytes=fixed('armour', size), armour_text=armour(fixed('armour', size)))
    yield vector('armour', 'both digits of base64url', bytes=b'\xfb\xff\xfe',
                 armour_text=armour(b'\xfb\xff\xfe'))
    yield vector('keyring_line', root=root, line_text=keyring_line(root))


PLAIN_TEXTS = {
    1: ('', 'Grüße', 'stw1:', '漢字 🂡'),
    2: ('\\x', '\\x00ff', '\\x73747731'),
    3: ('null', 'true', '0', '-0.0', '1.50', '1e3', '1.0e-3', '-12345678901234567890.12345678901234567890',
        '""', '"1.0"', '"\\u0001\\t\\"\\\\ é/"', '[]', '{}', '[1.0, [2.00, null], {"a": 10.0}]',
        '{"b": 1, "aa": 2.0, "a": [true, false], "": "1.0", "é": 0.10, "z": 3, "b": 5.00}',
        '{"\\"0.10": "\\"0.10\\\\", "x\\\\": 100.0}'),
    4: ('0', '1', '-1', '9223372036854775807', '-9223372036854775808'),
    5: ('0', '0.000', '1', '1.00', '-1.00', '10', '10000', '99990000', '-123456789.98765', '0.1', '0.0001',
        '0.00010000', '0.00001', '1234567890123456789012345678901234567890.00001000', '1' + '0' * 200,
        '0.' + '0' * 99 + '1', '5.' + '0' * 50, 'NaN', 'Infinity', '-Infinity'),
    6: ('2000-01-01', '1999-12-31', '2024-02-29', '1900-03-01', '0001-01-01', '0001-12-31 BC',
        '4713-01-01 BC', '5874897-12-31', 'infinity', '-infinity'),
    7: ('2000-01-01 00:00:00+00', '1999-12-31 23:59:59.999999+00', '2020-06-01 17:30:00+05:30',
        '2020-06-01 04:00:00-08', '0044-03-15 12:00:00+00 BC', '294276-12-31 23:59:59.999999+00',
        '4714-11-24 00:00:00+00 BC', 'infinity', '-infinity'),
}


def plain_vectors():
    """A database whose every secret is known, and values of each type in it."""
    root, realm, key, secret = (fixed('database ' + name, 32) for name in
                                ('root', 'realm', 'key', 'hash secret'))
    path, tag = b'vectors', key_tag(key)
    hash_key, unique_key = tag_keys(secret)[:2]
    yield vector('database', line_text=keyring_line(root), root_id=root_id(root), realm=realm[:16],
                 path_text=path, key_id=key_id(path), key_tag=tag, key=key, hash_secret=secret,
                 wrapped=wrap(root, realm[:16], b'\1', key_id(path) + tag + bytes(8), key,
                              fixed('database wrap 1', 24)),
                 hash_wrapped=wrap(root, realm[:16], b'\3', bytes(16), secret,
                                   fixed('database wrap 3', 24)))
    for kind, texts in PLAIN_TEXTS.items():
        for text in texts:
            plain, compared = encode(kind, text), canonical(kind, text)
            datum = seal(key, bytes([kind]), key_id(path), tag, plain,
                         fixed('plain %d %s' % (kind, text), 24))
            yield vector('plain', VALUE_TYPES[kind], type=bytes([kind]), sql_text=text.encode(),
                         plain=plain, canonical=compared, key=key, datum=datum,
                         hash=hash_tag(hash_key, compared), unique=unique_tag(unique_key, compared))
    for kind, bad in ((1, b'\xff'), (3, b''), (3, b'{'), (3, b'"\xff"'), (4, bytes(7)), (4, bytes(9)), (5, bytes(4)),
                      (5, join_numeric(0, 0, 0, 10000)), (6, bytes(8)), (6, signed(2 ** 31 - 2, 4)),
                      (7, bytes(4)), (7, signed(2 ** 63 - 2, 8))):
        yield vector('malformed_plain', VALUE_TYPES[kind], type=bytes([kind]), plain=bad, key=key,
                     datum=seal(key, bytes([kind]), key_id(path), tag, bad,
                                fixed('malformed %d %s' % (kind, bad), 24)))
    for note, bad in (('empty', b''), ('cut', join_numeric(0, 0, 0)[:4]),
                      ('half a digit', join_numeric(0, 0, 0, 1) + b'\0'),
                      ('sign', join_numeric(5, 0, 0)), ('digit', join_numeric(0, 0, 0, 10000)),
                      ('first digit 0', join_numeric(0, 4, 0, 0, 1)), ('last digit 0', join_numeric(0, 4, 0, 1, 0)),
                      ('minus zero', join_numeric(1, 0, 0)), ('weight of zero', join_numeric(0, 0, 1)),
                      ('digits of NaN', join_numeric(2, 0, 0, 1)), ('scale of NaN', join_numeric(2, 1, 0)),
                      ('weight of infinity', join_numeric(3, 0, 1)), ('scale', join_numeric(0, 16384, 0, 1)),
                      ('scale hides a digit', join_numeric(0, 3, -1, 1))):
        yield vector('refused_numeric', note, plain=bad)


def journal_vector(note, roots, journal):
    records, state = read_journal(roots, journal)
    return vector('journal', note, roots=b''.join(roots), journal=journal,
                  records=b''.join(records), state_text=state.encode())


def journal_vectors():
    old, new, realm, other = fixed('root', 32), fixed('new root', 32), fixed('realm', 16), fixed('other', 16)
    for kind, number, part in ((1, 1, 0), (2, 2, 0), (2, 2 ** 40, 77)):
        time, previous = 10 ** 15 - number, fixed('previous %d' % number, 32)
        subject = fixed('subject %d' % number, 16)
        yield vector('journal_record', root=old, kind=bytes([kind]), part=part.to_bytes(4, 'big'),
                     number=number.to_bytes(8, 'big'), time=time.to_bytes(8, 'big'), realm=realm,
                     subject=subject, previous=previous,
                     record=journal_record(old, kind, part, number, time, realm, subject, previous))
    subjects = [fixed('subject %d' % i, 16) for i in range(6)]
    one = append_records(b'', old, [(1, realm, subjects[0]), (2, realm, subjects[1])])
    two = append_records(one, new, [(1, other, subjects[2]), (2, other, subjects[3]),
                                    (2, other, subjects[4])])
    three = append_records(two, new, [(2, realm, subjects[5])])
    both = [old, new]
    yield journal_vector('empty', both, b'')
    yield journal_vector('free slots', both, bytes(1000))
    yield journal_vector('two realms, two roots', both, three)
    yield journal_vector('and free slots', both, three + bytes(500))
    yield journal_vector('half a record', both, two + three[len(two):][:70])
    yield journal_vector('half a record, free slots', both, two + three[len(two):][:70] + bytes(600))
    yield journal_vector('an append without its middle', both,
                         two[:3 * RECORD] + bytes(RECORD) + two[4 * RECORD:])
    yield journal_vector('a whole one behind it', both,
                         two[:3 * RECORD] + bytes(RECORD) + three[4 * RECORD:])
    yield journal_vector('a record dropped', both, three[:2 * RECORD] + three[3 * RECORD:])
    yield journal_vector('two records exchanged', both, three[:RECORD] + three[2 * RECORD:3 * RECORD]
                         + three[RECORD:2 * RECORD] + three[3 * RECORD:])
    yield journal_vector('another beginning', both, append_records(b'', old, [(1, realm, subjects[5])])
                         + three[RECORD:])
    yield journal_vector('a root is missing', [old], three)
    yield journal_vector('the older root is missing', [new], three)
    yield journal_vector('no root fits', [fixed('third root', 32)], three)
    yield journal_vector('a bit of the last record', both, three[:-1] + bytes([three[-1] ^ 1]))
    yield journal_vector('a bit of the first record', both, bytes([three[0] ^ 1]) + three[1:])


def refused_vectors():
    key = fixed('key version', 32)
    datum = seal(key, b'\1', key_id(b'pii'), key_tag(key), b'secret', fixed('refused', 24))
    for text in ('', 'stw1', 'stw2:AAAA', 'STW1:AAAA', 'stw1:A', 'stw1:AB', 'stw1:AAB', 'stw1:AA==',
                 'stw1:AAA=', 'stw1:AA A', 'stw1:AAAA\n', 'stw1:++//', 'stw1:Ã¤', 'stw1:AA\u0080A'):
        yield vector('refused_armour', armour_text=text.encode())
    for at, byte in ((0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (2, 8), (3, 1), (3, 2), (3, 8), (3, 128),
                     (4, 0x80), (5, 0xff), (8, 0xff), (12, 0), (36, 0), (52, 0), (57, 0), (-1, 0)):
        altered = bytearray(datum)
        altered[at] = byte if altered[at] != byte else byte ^ 1
        yield vector('refused_value', 'byte %d altered' % at, key=key, datum=bytes(altered))
    good = datum[:12]
    for at, byte, note in ((0, 2, 'format'), (1, 2, 'suite'), (2, 0, 'type'), (2, 8, 'type'),
                           (3, 2, 'flag'), (3, 16, 'flag'), (3, 128, 'flag'), (4, 0x80, 'key id')):
        header = good[:at] + bytes([byte]) + good[at + 1:]
        yield vector('refused_value', 'authentic, but %s %d is unknown' % (note, byte), key=key,
                     datum=seal_under(key, header, b'secret', fixed('refused', 24)))
    yield vector('refused_value', 'cut', key=key, datum=datum[:-1])
    yield vector('refused_value', 'longer', key=key, datum=datum + b'\0')
    yield vector('refused_value', 'another key', key=fixed('root', 32), datum=datum)
    line = keyring_line(fixed('root', 32))
    for note, text in (('empty', b''), ('twice', line + line), ('id', line.replace(b' ', b' 0', 1)),
                       ('other id', b'root 0123456789abcdef' + line[21:]), ('blank', b' ' + line),
                       ('no padding', line.replace(b'=', b'')), ('upper case', line.upper())):
        yield vector('refused_keyring', note, ring_text=text)


def all_vectors():
    for part in (derivation_vectors, wrap_vectors, value_vectors, plain_vectors, text_vectors,
                 journal_vectors, refused_vectors):
        yield from part()


def as_json(vectors):
    comment = ('Test vectors of docs/formats.md, made by second.py --generate. Names that end in '
               '_text hold text, all others hexadecimal.')
    return json.dumps({'comment': comment, 'vectors': list(vectors)}, indent=1,
                      ensure_ascii=True) + '\n'


def fields_of(shown):
    """Bytes of the fields of a vector."""
    return {name: content.encode() if name.endswith('_text') else bytes.fromhex(content)
            for name, content in shown.items() if name not in ('construct', 'note')}


def as_line(shown):
    fields = fields_of(shown)
    return ' '.join([shown['construct']] + [f'{name}={content.hex()}'
                                            for name, content in fields.items()])


def refuses(function, *arguments):
    try:
        function(*arguments)
    except Refused:
        return True
    return False


def holds(shown):
    """Does a vector open, or is it refused, as it says? Derivations are
    compared with the generated ones instead."""
    construct, f = shown['construct'], fields_of(shown)
    if construct == 'wrap':
        return unwrap(f['root'], f['realm'], f['kind'], f['ids'], f['wrapped']) == f['secret']
    if construct in ('value', 'plain', 'malformed_plain'):
        return open_value(f['key'], f['datum']) == f['plain']
    if construct == 'database':
        return (unwrap(*read_keyring(f['line_text']), f['realm'], b'\1',
                       f['key_id'] + f['key_tag'] + bytes(8), f['wrapped']) == f['key'])
    if construct == 'armour':
        return unarmour(f['armour_text']) == f['bytes']
    if construct == 'keyring_line':
        return read_keyring(f['line_text']) == [f['root']]
    if construct == 'journal':
        roots = [f['roots'][i:i + 32] for i in range(0, len(f['roots']), 32)]
        return read_journal(roots, f['journal']) == (
            [f['records'][i:i + RECORD] for i in range(0, len(f['records']), RECORD)],
            f['state_text'].decode())
    if construct == 'refused_armour':
        return refuses(unarmour, f['armour_text'])
    if construct == 'refused_value':
        return refuses(open_value, f['key'], f['datum'])
    if construct == 'refused_keyring':
        return refuses(read_keyring, f['ring_text'])
    return True


class Tap:
    def __init__(self):
        self.run = self.failed = 0

    def ok(self, passed, name):
        self.run += 1
        self.failed += not passed
        print('%s %d - %s' % ('ok' if passed else 'not ok', self.run, name))

    def end(self):
        print('1..%d' % self.run)
        return 1 if self.failed else 0


def check(path):
    tap = Tap()
    with open(path, encoding='utf-8') as file:
        text = file.read()
    known = json.loads(text)['vectors']
    generated = list(all_vectors())
    tap.ok(text == as_json(generated), 'the file is what --generate prints')
    tap.ok(len(known) == len(generated), '%d vectors' % len(known))
    for shown, again in zip(known, generated):
        name = ' '.join(filter(None, (shown['construct'], shown.get('note'))))
        tap.ok(shown == again and holds(shown), name.replace('#', ''))
    return tap.end()


def run_c(program, *arguments, text=None):
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout.splitlines()


def random_vectors(count):
    """Values and wraps sealed here, with every length up to count."""
    for size in range(count):
        key, plain, random = (secrets.token_bytes(n) for n in (32, size, 24))
        subject = secrets.token_bytes(16) if size % 2 else b''
        kind = bytes([1 + size % 7])
        keyid = (secrets.randbits(31)).to_bytes(4, 'big')
        tag = secrets.token_bytes(4)
        datum = seal(key, kind, keyid, tag, plain, random, subject)
        bound = {'subject': subject} if subject else {}
        yield vector('value', key=key, type=kind, key_id=keyid, key_tag=tag, **bound,
                     plain=plain, random=random, salt=parse(datum)[1], datum=datum)
        root, realm, ids, secret, salt = (secrets.token_bytes(n) for n in (32, 16, 16, 32, 24))
        kind = bytes([1 + size % 5])
        secret = bytes(32) if kind == b'\5' else secret
        yield vector('wrap', root=root, realm=realm, kind=kind, ids=ids, secret=secret,
                     salt=salt, wrapped=wrap(root, realm, kind, ids, secret, salt))
        yield vector('armour', bytes=datum, armour_text=armour(datum))
        altered = bytearray(datum)
        altered[secrets.randbelow(len(datum))] ^= 1 << secrets.randbelow(8)
        yield vector('refused_value', key=key, datum=bytes(altered))


def mutate_journal(journal):
    """What crashes, hands and disks do to a journal."""
    count, at = len(journal) // RECORD, secrets.randbelow(len(journal))
    one, two = (secrets.randbelow(count) * RECORD for _ in range(2))
    return secrets.choice((
        lambda: journal,
        lambda: journal[:at],
        lambda: journal[:at] + bytes(len(journal) - at),
        lambda: journal[:at] + bytes([journal[at] ^ 1 << secrets.randbelow(8)]) + journal[at + 1:],
        lambda: journal[:one] + journal[one + RECORD:],
        lambda: journal[:one] + journal[two:two + RECORD] + journal[one + RECORD:],
        lambda: journal[:one] + bytes(RECORD) + journal[one + RECORD:],
        lambda: journal[:one] + journal[one:one + RECORD] + journal[one:],
        lambda: journal[:one] + secrets.token_bytes(RECORD) + journal[one:],
        lambda: journal + bytes(secrets.randbelow(400))))()


def random_journals(count):
    for _ in range(count):
        roots = [secrets.token_bytes(32) for _ in range(2)]
        realms = [secrets.token_bytes(16) for _ in range(2)]
        journal = b''
        for _ in range(1 + secrets.randbelow(5)):
            append = [(1 + secrets.randbelow(2), secrets.choice(realms), secrets.token_bytes(16))
                      for _ in range(1 + secrets.randbelow(4))]
            journal = append_records(journal, secrets.choice(roots), append, secrets.randbits(50))
        if secrets.randbelow(8) == 0:
            roots = roots[1:]
        yield journal_vector('', roots, mutate_journal(journal))


def verify_c(program, count=200):
    tap = Tap()
    code, sealed = run_c(program, 'seal', str(count))
    tap.ok(code == 0 and len(sealed) == 2 * count, '%d values and wraps sealed in C' % len(sealed))
    salts = set()
    for line in sealed:
        construct, *words = line.split(' ')
        f = dict(word.split('=') for word in words)
        try:
            passed = holds({'construct': construct, **f})
        except Refused:
            passed = False
        salts.add(bytes.fromhex(f['datum'])[28 if 'subject' in f else 12:][:24] if construct == 'value'
                  else bytes.fromhex(f['wrapped'])[1:25])
        tap.ok(passed, 'opened here: %s' % construct)
    tap.ok(len(salts) == 2 * count, 'no salt twice')

    made = list(random_vectors(count)) + list(random_journals(4 * count))
    code, answers = run_c(program, 'check', text='\n'.join(map(as_line, made)) + '\n')
    tap.ok(code == 0, 'the program in C is content')
    tap.ok(len(answers) == len(made) + 1, 'it answered %d times' % len(made))
    for shown, answer in zip(made, answers):
        tap.ok(answer.startswith('ok '), 'opened in C: %s' % shown['construct'])
    return tap.end()


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
