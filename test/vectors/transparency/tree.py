"""Merkle trees of RFC 6962, section 2.1, as it defines them: by recursion.

Proofs are verified along the same recursion, not with the loops of RFC 9162.
"""
import hashlib


class Refused(Exception):
    """What was read shows nothing, or is not of the form that it should have."""


def sha256(*parts):
    return hashlib.sha256(b''.join(parts)).digest()


def leaf_hash(leaf):
    return sha256(b'\0', leaf)


def node_hash(left, right):
    return sha256(b'\1', left, right)


def cut(n):
    """The largest power of two smaller than n."""
    return 1 << (n - 1).bit_length() - 1


def root(hashes):
    """MTH, of leaf hashes."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha256()
    k = cut(len(hashes))
    return node_hash(root(hashes[:k]), root(hashes[k:]))


def path(m, hashes):
    """PATH(m, D[n]), of leaf hashes."""
    n = len(hashes)
    if n == 1:
        return []
    k = cut(n)
    if m < k:
        return path(m, hashes[:k]) + [root(hashes[k:])]
    return path(m - k, hashes[k:]) + [root(hashes[:k])]


def subproof(m, hashes, known):
    n = len(hashes)
    if m == n:
        return [] if known else [root(hashes)]
    k = cut(n)
    if m <= k:
        return subproof(m, hashes[:k], known) + [root(hashes[k:])]
    return subproof(m - k, hashes[k:], False) + [root(hashes[:k])]


def proof(m, hashes):
    """PROOF(m, D[n]), of leaf hashes; without hashes also for m = 0."""
    return subproof(m, hashes, True) if m else []


def frontier(hashes):
    """Roots of the complete subtrees that the tree consists of, the largest first."""
    n = len(hashes)
    if n == 0:
        return []
    largest = 1 << n.bit_length() - 1
    return [root(hashes[:largest])] + frontier(hashes[largest:])


def frontier_root(hashes):
    if not hashes:
        return sha256()
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def grow(size, hashes, leaf):
    """The frontier of a tree of one leaf hash more."""
    hashes = hashes + [leaf]
    while size % 2:
        hashes[-2:] = [node_hash(*hashes[-2:])]
        size //= 2
    return hashes


def root_of_path(m, n, leaf, hashes):
    if n == 1:
        if hashes:
            raise Refused('the path is too long')
        return leaf
    if not hashes:
        raise Refused('the path is too short')
    k = cut(n)
    if m < k:
        return node_hash(root_of_path(m, k, leaf, hashes[:-1]), hashes[-1])
    return node_hash(hashes[-1], root_of_path(m - k, n - k, leaf, hashes[:-1]))


def roots_of_proof(m, n, old, hashes):
    """Roots of the old and of the new tree; old is that of the old one where the proof
    leaves it out, None where it must hold the hash."""
    if m == n:
        if len(hashes) != (old is None):
            raise Refused('the proof is of another length')
        return (old or hashes[0],) * 2
    if not hashes:
        raise Refused('the proof is too short')
    k = cut(n)
    if m <= k:
        before, after = roots_of_proof(m, k, old, hashes[:-1])
        return before, node_hash(after, hashes[-1])
    before, after = roots_of_proof(m - k, n - k, None, hashes[:-1])
    return node_hash(hashes[-1], before), node_hash(hashes[-1], after)


def check_inclusion(index, size, leaf, hashes, expected):
    if not 0 <= index < size or root_of_path(index, size, leaf, hashes) != expected:
        raise Refused('the path does not lead to the root')


def check_consistency(old_size, new_size, old_root, new_root, hashes):
    if old_size > new_size:
        raise Refused('the old tree is the larger one')
    if old_size == 0:
        if hashes or old_root != sha256():
            raise Refused('an empty tree needs no proof and has the empty root')
        before, after = old_root, new_root
        if new_size == 0:
            after = sha256()
    else:
        before, after = roots_of_proof(old_size, new_size, old_root, hashes)
    if (before, after) != (old_root, new_root):
        raise Refused('the trees do not continue each other')
