"""The vectors: a list of dictionaries. A name that ends in _text holds text, the
rest hexadecimal; "construct" and "note" say what a vector is."""
import json

from .journal import RECORD, append_records, journal_record, read_journal
from .plaintext import canonical, encode, join_numeric, signed
from .seal import (
    VALUE_TYPES, WRAP_KINDS, blake2b, hash_tag, hedge_key, index_key, index_secret_ids, key_id,
    key_tag, parse, root_id, seal, seal_under, subject_digest, subject_digest_key, subject_key,
    tag_keys, transient_key, unique_tag, wrap)
from .text import armour, keyring_line


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
    for salt, column in ((fixed('index salt', 16), 1), (fixed('index salt', 16), 2),
                         (fixed('index salt', 16), 258), (fixed('index salt', 16), 65535),
                         (bytes(16), 1), (b'\xff' * 16, 32)):
        yield vector('index_key', secret=secret, salt=salt, column=column.to_bytes(2, 'big'),
                     key=index_key(secret, salt, column))
    for size in (0, 1, 7, 8, 9, 100, 1000):
        text = fixed('canonical', size)
        yield vector('hash_tag', key=hash_key, canonical=text, number=hash_tag(hash_key, text))
        yield vector('unique_tag', key=unique_key, canonical=text,
                     tag=unique_tag(unique_key, text))


def wrap_vectors():
    root, realm, secret = fixed('root', 32), fixed('realm', 16), fixed('secret', 32)
    ids = {1: key_id(b'pii') + key_tag(secret) + bytes(8), 2: key_id(b'pii') + bytes(12),
           3: bytes(16), 4: fixed('subject', 16), 5: fixed('subject', 16)}
    for generation in (1, 2, 0x01020304, 2 ** 31 - 1):
        salt = fixed('wrap salt generation %d' % generation, 24)
        bound = index_secret_ids(key_id(b'pii'), generation)
        yield vector('wrap', 'index secret, generation %d' % generation, root=root, realm=realm,
                     kind=b'\2', key_id=key_id(b'pii'), generation=generation.to_bytes(4, 'big'),
                     ids=bound, secret=secret, salt=salt,
                     wrapped=wrap(root, realm, b'\2', bound, secret, salt))
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
