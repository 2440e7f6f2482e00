"""Fixed vectors: a question of ledger_peer.c and its answer a line. They change only when
a format does, and then every proof given out before is worth nothing."""
from . import files, leaf, note, tree

NAME = 'log.example/steward/1'
LEAVES = [tree.sha256(b'leaf', i.to_bytes(8, 'big'))[:i % 33] for i in range(4096)]
HASHES = [tree.leaf_hash(content) for content in LEAVES]


def shown(content):
    return content.hex() or '-'


def of_trees():
    for size in (0, 1, 2, 3, 7, 8, 300):
        hashes = HASHES[:size]
        yield ('%s %s' % (tree.root(hashes).hex(), shown(b''.join(tree.frontier(hashes)))), 'root', size)
    for index, size in ((0, 1), (0, 8), (6, 7), (255, 300)):
        yield shown(b''.join(tree.path(index, HASHES[:size]))), 'path', index, size
    for old, new in ((0, 5), (1, 2), (3, 7), (4, 8), (256, 300)):
        yield shown(b''.join(tree.proof(old, HASHES[:new]))), 'proof', old, new


def of_leaves():
    one, other = tree.sha256(b'context'), tree.sha256(b'schema')
    for record in ((1, 745, 1, 846000000000000, 846000000123456, 846000000200000, b'I', one, other, b'payload'),
                   (2 ** 32 - 1, 2 ** 64 - 1, 2 ** 32 - 1, -1, -2 ** 63, 2 ** 63 - 1, b'S', one, bytes(32), b'')):
        yield (tree.leaf_hash(leaf.record_leaf(*record)).hex(), 'record', *record[:6], record[6][0],
               one.hex(), record[8].hex(), shown(record[9]))
    for parent in (b'', b'a signed note\n'):
        yield tree.leaf_hash(leaf.opening_leaf(3, one, parent)).hex(), 'opening', 3, one.hex(), shown(parent)
    for fields in ((), (b'',), (None,), ((1).to_bytes(4, 'big'), 'Ä'.encode(), None, b'', bytes(8))):
        yield (leaf.row_digest('audit_context', fields).hex(), 'row', 'audit_context',
               *('null' if field is None else shown(field) for field in fields))


def of_notes():
    key = note.Key.of_seed(NAME, bytes(range(32)))
    vkey = key.text().encode()
    signer = (NAME.encode().hex(), key.seed.hex())
    yield vkey.hex(), 'key', *signer
    root = tree.root(HASHES[:300])
    checkpoint = key.sign(note.checkpoint_text(NAME, 300, root))
    yield checkpoint.hex(), 'checkpoint', *signer, 300, root.hex()
    yield 'yes', 'open', 'checkpoint', vkey.hex(), checkpoint.hex()
    yield (key.sign(note.prune_text(NAME, 259, tree.frontier(HASHES[:259]), 300, root, 7)).hex(),
           'prune', *signer, 259, 300, 7)
    yield (key.sign(note.prune_text(NAME, 259, tree.frontier(HASHES[:259]), 300, root, 7, (270, 271))).hex(),
           'prune', *signer, 259, 300, 7, 270, 271)
    inclusion = files.inclusion_file(LEAVES[70], 70, tree.path(70, HASHES[:300]), checkpoint)
    yield 'yes', 'open', 'inclusion', vkey.hex(), inclusion.hex()
    consistency = files.consistency_file(259, tree.proof(259, HASHES[:300]), checkpoint)
    yield 'yes', 'open', 'consistency', vkey.hex(), consistency.hex(), 259


def all_vectors():
    """(answer, question) each."""
    for source in (of_trees, of_leaves, of_notes):
        for answer, *words in source():
            yield answer, ' '.join(map(str, words))


def as_text():
    return ''.join('%s = %s\n' % (question, answer) for answer, question in all_vectors())
