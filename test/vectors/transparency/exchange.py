"""The two implementations against each other, in TAP.

Questions go to the crypto floor (ledger_peer.c) in one run of it. Files are judged by
this implementation, by the crypto floor and by pg_steward_verify.
"""
import itertools
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile

from formats.check import Tap

from . import files, leaf, note, tree
from .tree import Refused
from .vectors import HASHES, LEAVES, NAME, all_vectors, as_text, shown

SOAK = os.environ.get('STEWARD_SOAK') == '1'

# Published: certificate-transparency, RFC 6962's reference implementation.
CT_LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657',
             '606162636465666768696a6b6c6d6e6f']
CT_ROOTS = ['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
            '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
            'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
            'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
            'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
            '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
            '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
            'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
            '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328']
# Published: C2SP signed-note and tlog-checkpoint.
C2SP_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
C2SP_NOTE = ('This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXpp'
             'zi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n').encode()


def accepts(function, *arguments):
    try:
        function(*arguments)
    except Refused:
        return False
    return True


class Peer:
    """Collects questions with what must be answered."""

    def __init__(self, program, tap):
        self.program, self.tap, self.asked = program, tap, []

    def ask(self, name, expected, *words):
        self.asked.append((name, expected, ' '.join(map(str, words))))

    def run(self):
        done = subprocess.run([self.program], input=''.join(line + '\n' for _, _, line in self.asked),
                              capture_output=True, text=True, check=False)
        answers = done.stdout.splitlines()
        self.tap.ok(done.returncode == 0 and len(answers) == len(self.asked),
                    'the crypto floor answered %d of %d questions' % (len(answers), len(self.asked)))
        print(done.stderr, end='', file=sys.stderr)
        wrong = {name: [] for name, _, _ in self.asked}
        for (name, expected, line), answer in itertools.zip_longest(self.asked, answers[:len(self.asked)]):
            wrong[name] += [] if answer == expected else ['%s: %s, not %s' % (line, answer, expected)]
        for name, lines in wrong.items():
            self.tap.ok(not lines, '%s: %d times' % (name, sum(name == asked[0] for asked in self.asked)))
            for line in lines[:5]:
                print('#', line)
        self.asked = []


def published(tap):
    hashes = [tree.leaf_hash(bytes.fromhex(content)) for content in CT_LEAVES]
    tap.ok([tree.root(hashes[:n]).hex() for n in range(9)] == CT_ROOTS, 'published roots')
    key = note.Key.parse(C2SP_KEY)
    tap.ok(key.text() == C2SP_KEY, 'published verifier key')
    tap.ok(note.open_note(C2SP_NOTE, key) == 'This is an example message.\n', 'published note')


def pinned(tap, peer):
    tap.ok(pathlib.Path('ledger.txt').read_text(encoding='utf-8') == as_text(),
           'ledger.txt is what ledger.py vectors prints')
    for answer, question in all_vectors():
        peer.ask('fixed vectors', answer, question)


def places(size):
    """Which indexes of a tree of this size to look at."""
    if SOAK or size <= 64:
        return range(size + 1)
    return sorted({0, 1, size // 2, size - 1, size, 1 << (size - 1).bit_length() - 1,
                   *(secrets.randbelow(size) for _ in range(8))})


def trees(peer):
    for size in [*range(301), 511, 512, 513, 1000, 1023, 1024, 1025, 4095, 4096]:
        hashes = HASHES[:size]
        root = tree.root(hashes)
        peer.ask('roots and frontiers', '%s %s' % (root.hex(), shown(b''.join(tree.frontier(hashes)))),
                 'root', size)
        for place in places(size) if size <= 301 else places(size)[-9:]:
            if place < size:
                path = tree.path(place, hashes)
                peer.ask('inclusion proofs', shown(b''.join(path)), 'path', place, size)
                tree.check_inclusion(place, size, hashes[place], path, root)
                peer.ask('inclusion proofs made here', 'yes', 'shows-path', place, size,
                         hashes[place].hex(), root.hex(), shown(b''.join(path)))
            proof = tree.proof(place, hashes)
            peer.ask('consistency proofs', shown(b''.join(proof)), 'proof', place, size)
            old = tree.root(hashes[:place])
            tree.check_consistency(place, size, old, root, proof)
            peer.ask('consistency proofs made here', 'yes', 'shows-proof', place, size, old.hex(),
                     root.hex(), shown(b''.join(proof)))
    peer.ask('what is in no tree', 'no', 'path', 5, 5)
    peer.ask('what is in no tree', 'no', 'proof', 6, 5)


def altered(hashes):
    """A list of hashes with one bit another, one hash more, less or moved."""
    for at, bit in itertools.product(range(len(hashes)), range(256)):
        changed = bytearray(hashes[at])
        changed[bit // 8] ^= 1 << bit % 8
        yield hashes[:at] + [bytes(changed)] + hashes[at + 1:]
    for at in range(len(hashes)):
        yield hashes[:at] + hashes[at + 1:]
        yield hashes[:at + 1] + hashes[at:]
        if at:
            yield hashes[:at - 1] + [hashes[at], hashes[at - 1]] + hashes[at + 1:]
    yield hashes + [HASHES[0]]


def alterations(tap, peer):
    here = 0
    for size in (1, 2, 3, 7, 8, 13, 100) + (tuple(range(4, 40)) if SOAK else ()):
        root = tree.root(HASHES[:size])
        for place in {0, size // 3, size - 1}:
            for bad in altered(tree.path(place, HASHES[:size])):
                here += accepts(tree.check_inclusion, place, size, HASHES[place], bad, root)
                peer.ask('altered inclusion proofs are refused', 'no', 'shows-path', place, size,
                         HASHES[place].hex(), root.hex(), shown(b''.join(bad)))
            old = tree.root(HASHES[:place])
            for bad in altered(tree.proof(place, HASHES[:size])):
                here += accepts(tree.check_consistency, place, size, old, root, bad)
                peer.ask('altered consistency proofs are refused', 'no', 'shows-proof', place, size,
                         old.hex(), root.hex(), shown(b''.join(bad)))
    tap.ok(here == 0, 'altered proofs are refused here')


def leaves(peer):
    for size in range(60):
        record = (secrets.randbits(32), secrets.randbits(64), secrets.randbits(32),
                  *(secrets.randbits(64) - 2 ** 63 for _ in range(3)))
        op, one, other, payload = (secrets.token_bytes(n) for n in (1, 32, 32, size))
        peer.ask('leaves of records', tree.leaf_hash(leaf.record_leaf(*record, op, one, other, payload)).hex(),
                 'record', *record, op[0], one.hex(), other.hex(), shown(payload))
        peer.ask('openings', tree.leaf_hash(leaf.opening_leaf(record[0], one, payload)).hex(),
                 'opening', record[0], one.hex(), shown(payload))
        fields = [secrets.choice((None, secrets.token_bytes(secrets.randbelow(9)))) for _ in range(size // 3)]
        peer.ask('digests of rows', leaf.row_digest('audit_context', fields).hex(), 'row', 'audit_context',
                 *('null' if field is None else shown(field) for field in fields))


def notes(peer, key):
    signer = (NAME.encode().hex(), key.seed.hex())
    peer.ask('verifier keys', key.text().encode().hex(), 'key', *signer)
    for size in (0, 1, 2, 255, 256, 300):
        root = tree.root(HASHES[:size])
        made = key.sign(note.checkpoint_text(NAME, size, root))
        peer.ask('checkpoints', made.hex(), 'checkpoint', *signer, size, root.hex())
        for boundary in {0, size // 2, size}:
            made = key.sign(note.prune_text(NAME, boundary, tree.frontier(HASHES[:boundary]), size, root, 7))
            peer.ask('prune certificates', made.hex(), 'prune', *signer, boundary, size, 7)
            places = range(boundary, size, 3)
            made = key.sign(note.prune_text(NAME, boundary, tree.frontier(HASHES[:boundary]), size, root, 7, places))
            peer.ask('prune certificates', made.hex(), 'prune', *signer, boundary, size, 7, *places)


def sample_files(key):
    """(kind, file, function that verifies it, words for the peer)."""
    size, index, old = 200, 70, 130
    hashes = HASHES[:size]
    checkpoint = key.sign(note.checkpoint_text(NAME, size, tree.root(hashes)))
    before = key.sign(note.checkpoint_text(NAME, old, tree.root(hashes[:old])))
    prune = key.sign(note.prune_text(NAME, old, tree.frontier(hashes[:old]), size, tree.root(hashes), 3))
    inclusion = files.inclusion_file(LEAVES[index], index, tree.path(index, hashes), checkpoint)
    consistency = files.consistency_file(old, tree.proof(old, hashes), checkpoint)
    return before, (
        ('checkpoint', checkpoint, lambda content: note.open_checkpoint(content, key), ()),
        ('prune', prune, lambda content: note.open_prune(content, key), ()),
        ('inclusion', inclusion, lambda content: files.verify_inclusion(key, content), ()),
        ('consistency', consistency,
         lambda content: files.verify_consistency(key, before, content), (old,)))


def flips(tap, peer, key):
    """Every bit of every kind of file."""
    vkey = key.text().encode().hex()
    for kind, content, verify, words in sample_files(key)[1]:
        tap.ok(accepts(verify, content), '%s: verified here' % kind)
        peer.ask('%s: verified there' % kind, 'yes', 'open', kind, vkey, content.hex(), *words)
        here = 0
        for bit in range(8 * len(content)):
            bad = bytearray(content)
            bad[bit // 8] ^= 1 << bit % 8
            here += accepts(verify, bytes(bad))
            peer.ask('%s: no flipped bit is accepted there' % kind, 'no', 'open', kind, vkey,
                     bytes(bad).hex(), *words)
        tap.ok(here == 0, '%s: none of %d flipped bits is accepted here' % (kind, 8 * len(content)))
        for cut in range(len(content)):
            here += accepts(verify, content[:cut])
            peer.ask('%s: nothing cut off is accepted there' % kind, 'no', 'open', kind, vkey,
                     shown(content[:cut]), *words)
        tap.ok(here == 0, '%s: nothing cut off is accepted here' % kind)


class Programs:
    """pg_steward_verify and this implementation as a command, on the same files."""

    def __init__(self, tap, program, directory, key):
        self.tap, self.directory, self.key = tap, directory, key
        self.programs = ([program], [sys.executable, str(pathlib.Path(__file__).parent.parent / 'ledger.py')])

    def write(self, name, content):
        path = pathlib.Path(self.directory, name)
        path.write_bytes(content)
        return str(path)

    def judge(self, name, expected, command, *arguments, keys=None):
        named = [word for key in keys or [self.key] for word in ('--key', key.text())]
        codes = [subprocess.run([*program, command, *named, *arguments],
                                capture_output=True, check=False).returncode for program in self.programs]
        self.tap.ok(codes == [expected] * 2, '%s: %s' % (name, codes))


def programs(run):
    before, samples = sample_files(run.key)
    old = run.write('old', before)
    named = {kind: run.write(kind, content) for kind, content, _, _ in samples}
    arguments = {'checkpoint': [named['checkpoint']], 'prune': [named['prune']],
                 'inclusion': ['--proof', named['inclusion']],
                 'consistency': ['--old', old, '--proof', named['consistency']]}
    stranger = note.Key.of_seed(NAME, secrets.token_bytes(32))
    for kind, content, _, _ in samples:
        run.judge(kind, 0, kind, *arguments[kind])
        run.judge('%s, another key' % kind, 1, kind, *arguments[kind], keys=[stranger])
        for _ in range(40 if SOAK else 3):
            bad = bytearray(content)
            bad[secrets.randbelow(len(bad))] ^= 1 << secrets.randbelow(8)
            run.write(kind, bytes(bad))
            run.judge('%s, a bit flipped' % kind, 1, kind, *arguments[kind])
        run.write(kind, content)
    changed_key(run, before, stranger)
    record = run.write('record', note.encode(LEAVES[70]).encode() + b'\n')
    other = run.write('other', note.encode(LEAVES[71]).encode() + b'\n')
    proof = ['--proof', named['inclusion']]
    run.judge('the record beside the proof', 0, 'inclusion', *proof, '--record', record)
    run.judge('another record', 1, 'inclusion', *proof, '--record', other)
    both = ['--old', old, '--proof', named['consistency'], '--new']
    run.judge('the new checkpoint beside the proof', 0, 'consistency', *both, named['checkpoint'])
    run.judge('another new checkpoint', 1, 'consistency', *both, old)
    run.judge('the old checkpoint is the new one', 1, 'consistency', '--old', named['checkpoint'],
              '--proof', named['consistency'])


def changed_key(run, before, newer):
    """The log got another key between two checkpoints."""
    text = note.checkpoint_text(NAME, 200, tree.root(HASHES[:200]))
    old = run.write('before', before)
    proof = files.consistency_file(130, tree.proof(130, HASHES[:200]), newer.sign(text))
    arguments = ['--old', old, '--proof', run.write('across', proof)]
    run.judge('both keys', 0, 'consistency', *arguments, keys=[run.key, newer])
    run.judge('only the old key', 1, 'consistency', *arguments)
    run.judge('only the new key', 1, 'consistency', *arguments, keys=[newer])
    signed, line = run.key.sign(text), newer.sign(text).split(b'\n\n')[1]
    twice = run.write('twice', signed + line)
    run.judge('signed by both', 0, 'checkpoint', twice, keys=[run.key, newer])
    forged = run.write('forged', signed + newer.sign(text + 'more\n').split(b'\n\n')[1])
    run.judge('the second signature is wrong', 1, 'checkpoint', forged, keys=[run.key, newer])
    run.judge('and is of a key that is not asked for', 0, 'checkpoint', forged)
    run.judge('keys of different logs', 2, 'checkpoint', twice,
              keys=[run.key, note.Key.of_seed('log.example/steward/2', bytes(32))])


def hide(lines, hashes, *places):
    """Hashes for some of the leaves."""
    return [b'hash %s\n' % note.encode(hashes[at]).encode() if at in places else line for at, line in enumerate(lines)]


def exports(run):
    size, boundary = 1000, 600
    contents = [content or b'x' for content in LEAVES[:size]]
    lines = [note.encode(content).encode() + b'\n' for content in contents]
    hashes = [tree.leaf_hash(content) for content in contents]
    root = tree.root(hashes)
    checkpoint = run.write('head', run.key.sign(note.checkpoint_text(NAME, size, root)))
    frontier = tree.frontier(hashes[:boundary])
    middle = tree.root(hashes[:700])
    good, bad = (run.write(name, run.key.sign(note.prune_text(NAME, boundary, frontier, 700, head, 3)))
                 for name, head in (('good', middle), ('bad', root)))
    swapped = lines[:10] + [lines[11], lines[10]] + lines[12:]
    hidden = hide(lines, hashes, 500)
    cases = (('whole', 0, lines), ('with a hash for a record', 1, hidden), ('two swapped', 1, swapped),
             ('one missing', 1, lines[:50] + lines[51:]), ('the last missing', 1, lines[:-1]),
             ('one too many', 1, lines + lines[:1]), ('one twice', 1, lines[:51] + lines[50:-1]),
             ('one altered', 1, lines[:3] + [b'AAAA\n'] + lines[4:]), ('an empty line', 1, [b'\n'] + lines),
             ('no base64', 1, lines[:3] + [b'AA\n'] + lines[4:]), ('nothing', 1, []),
             ('no newline at the end', 1, lines[:-1] + [lines[-1][:-1]]))
    for name, expected, content in cases:
        run.judge('export, %s' % name, expected, 'export', '--checkpoint', checkpoint,
                  run.write('records', b''.join(content)))
    rest = run.write('records', b''.join(lines[boundary:]))
    run.judge('export behind a prune', 0, 'export', '--checkpoint', checkpoint, '--prune', good, rest)
    run.judge('export behind a prune of another tree', 1, 'export', '--checkpoint', checkpoint,
              '--prune', bad, rest)
    counted = run.write('counted', run.key.sign(note.prune_text(NAME, boundary, frontier, 700, middle, 3, (620, 621))))
    for name, expected, certificate, places in (
            ('the records that the certificate counts', 0, counted, (620, 621)), ('one of them', 1, counted, (620,)),
            ('one more', 1, counted, (620, 621, 900)), ('others', 1, counted, (620, 622)), ('none', 1, counted, ()),
            ('a record that it does not count', 1, good, (620,))):
        run.judge('export with hashes for %s' % name, expected, 'export', '--checkpoint', checkpoint, '--prune', certificate,
                  run.write('hidden', b''.join(hide(lines, hashes, *places)[boundary:])))
    run.judge('export behind a prune, without it', 1, 'export', '--checkpoint', checkpoint, rest)


def exchange(peer_program, program):
    tap = Tap()
    key = note.Key.of_seed(NAME, secrets.token_bytes(32))
    published(tap)
    peer = Peer(peer_program, tap)
    pinned(tap, peer)
    trees(peer)
    alterations(tap, peer)
    leaves(peer)
    notes(peer, key)
    flips(tap, peer, key)
    peer.run()
    with tempfile.TemporaryDirectory() as directory:
        run = Programs(tap, program, directory, key)
        programs(run)
        exports(run)
    return tap.end()
