"""Checks in TAP: of a file of vectors, and against the program in C (peer.c)."""
import json
import secrets
import subprocess

from .journal import RECORD, append_records, read_journal
from .seal import Refused, open_value, parse, seal, unwrap, wrap
from .text import armour, read_keyring, unarmour
from .vectors import all_vectors, as_json, journal_vector, vector


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
