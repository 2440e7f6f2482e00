/*
 * merkle_test.c: trees, frontiers, proofs and tiles against the definitions of
 * RFC 6962 spelled out over all leaves, and against published roots and proofs.
 */
#include "crypto/proof.h"
#include "crypto/tile.h"

#include "tap.h"

#define LEAVES 300

static StewardHash leaves[LEAVES];

/* The definition, over the leaf hashes from … from + n - 1. */
static StewardHash
defined_root(size_t from, size_t n)
{
	StewardHash left;
	StewardHash right;
	size_t		k = 1;

	if (n == 0)
		steward_merkle_empty(&left);
	else if (n == 1)
		left = leaves[from];
	else
	{
		while (2 * k < n)
			k *= 2;
		left = defined_root(from, k);
		right = defined_root(from + k, n - k);
		steward_merkle_node(&left, &left, &right);
	}
	return left;
}

static bool
get_subtree(void *context, unsigned int level, uint64_t index, StewardHash *hash)
{
	uint64_t	size = *(const uint64_t *) context;
	uint64_t	width = (uint64_t) 1 << level;

	if ((index + 1) * width > size)
		tap_bail("asked for a subtree that is not complete");
	*hash = defined_root((size_t) (index * width), (size_t) width);
	return true;
}

/* The leaves and roots that Certificate Transparency publishes. */
static void
test_published(void)
{
	static const struct
	{
		const char *leaf;
		const char *root;		/* of the tree that ends with it */
	}			cases[] = {
		{"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
		{"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
		{"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
		{"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
		{"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
		{"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
		{"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
		{"606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
	};
	unsigned char expected[STEWARD_HASH_BYTES];
	StewardFrontier frontier;
	StewardHash root;

	steward_frontier_init(&frontier);
	steward_frontier_root(&root, &frontier);
	fill_hex(expected, sizeof expected,
			 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	tap_bytes(root.bytes, expected, sizeof expected, "the empty tree");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		unsigned char leaf[16];
		size_t		len = strlen(cases[i].leaf) / 2;

		fill_hex(leaf, len, cases[i].leaf);
		steward_merkle_leaf(&leaves[i], leaf, len);
		(void) steward_frontier_append(&frontier, &leaves[i], NULL, NULL);
		steward_frontier_root(&root, &frontier);
		fill_hex(expected, sizeof expected, cases[i].root);
		tap_bytes(root.bytes, expected, sizeof expected, "a published root");
	}
}

static void
test_published_proofs(void)
{
	static const struct
	{
		uint64_t	index;
		uint64_t	size;
		unsigned int count;
		const char *hashes[3];
	}			paths[] = {
		{0, 8, 3, {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
		{5, 8, 3, {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
				"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	}, growths[] = {
		{6, 8, 3, {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
				"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
		{2, 5, 2, {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
	};
	uint64_t	size = 8;

	for (size_t i = 0; i < 4; i++)
	{
		bool		path = i < 2;
		StewardProof proof;
		bool		made = path ?
			steward_proof_inclusion(&proof, paths[i].index, paths[i].size,
									get_subtree, &size) :
			steward_proof_consistency(&proof, growths[i - 2].index,
									  growths[i - 2].size, get_subtree, &size);
		unsigned int count = path ? paths[i].count : growths[i - 2].count;

		tap_ok(made && proof.count == count, "a published proof is as long");
		for (unsigned int j = 0; made && j < count; j++)
		{
			unsigned char expected[STEWARD_HASH_BYTES];

			fill_hex(expected, sizeof expected,
					 path ? paths[i].hashes[j] : growths[i - 2].hashes[j]);
			tap_bytes(proof.hashes[j].bytes, expected, sizeof expected,
					  "and has these hashes");
		}
	}
}

static int
check_frontier(const StewardFrontier *frontier, size_t size)
{
	unsigned char bytes[STEWARD_FRONTIER_MAX_BYTES];
	size_t		len = steward_frontier_pack(bytes, frontier);
	StewardHash expected = defined_root(0, size);
	StewardFrontier again;
	StewardHash root;
	int			wrong = 0;

	steward_frontier_root(&root, frontier);
	wrong += !steward_hash_equals(&root, &expected) || frontier->size != size;
	wrong += len != (size_t) __builtin_popcountll(size) * STEWARD_HASH_BYTES;
	wrong += !steward_frontier_unpack(&again, size, bytes, len);
	steward_frontier_root(&root, &again);
	wrong += !steward_hash_equals(&root, &expected);
	wrong += steward_frontier_unpack(&again, size, bytes, len + STEWARD_HASH_BYTES);
	wrong += len > 0 && steward_frontier_unpack(&again, size, bytes, len - 1);
	return wrong;
}

/* What a frontier says is complete must be, in order and each once. */
typedef struct Completed
{
	uint64_t	entries[STEWARD_TREE_LEVELS];
	int			wrong;
} Completed;

static void
note_subtree(void *context, unsigned int level, uint64_t index,
			 const StewardHash *hash)
{
	Completed  *completed = context;
	size_t		width = (size_t) 1 << level;
	StewardHash expected = defined_root((size_t) index * width, width);

	completed->wrong += index != completed->entries[level]++ ||
		!steward_hash_equals(hash, &expected);
}

static void
test_frontier(void)
{
	StewardFrontier frontier;
	Completed	completed = {0};
	int			wrong = 0;

	steward_frontier_init(&frontier);
	for (size_t size = 0; size < LEAVES; size++)
	{
		wrong += check_frontier(&frontier, size);
		for (unsigned int level = 1; level < STEWARD_TREE_LEVELS; level++)
			wrong += completed.entries[level] != size >> level;
		wrong += !steward_frontier_append(&frontier, &leaves[size], note_subtree,
										  &completed);
	}
	tap_ok(wrong == 0, "frontiers of 300 sizes: root, form, length");
	tap_ok(completed.wrong == 0, "each subtree is told once, when it is complete");
}

/* Adding whole subtrees makes the same tree; unaligned ones are refused. */
static void
test_add(void)
{
	int			wrong = 0;

	for (int run = 0; run < 200; run++)
	{
		StewardFrontier frontier;

		steward_frontier_init(&frontier);
		while (frontier.size < LEAVES)
		{
			unsigned int level = randombytes_uniform(9);
			uint64_t	width = (uint64_t) 1 << level;
			uint64_t	size = frontier.size;
			bool		aligned = size % width == 0;
			StewardHash hash = leaves[0];

			if (size + width > LEAVES)
				break;
			if (aligned)
				hash = defined_root((size_t) size, (size_t) width);
			wrong += steward_frontier_add(&frontier, level, &hash, NULL, NULL) != aligned;
			wrong += frontier.size != (aligned ? size + width : size);
			wrong += check_frontier(&frontier, (size_t) frontier.size);
		}
	}
	tap_ok(wrong == 0, "whole subtrees make the same trees, aligned ones only");
}

static void
test_limits(void)
{
	unsigned char bytes[STEWARD_FRONTIER_MAX_BYTES + STEWARD_HASH_BYTES] = {0};
	StewardFrontier frontier;
	StewardHash hash = leaves[0];

	tap_ok(steward_frontier_unpack(&frontier, STEWARD_TREE_MAX_SIZE, bytes,
								   STEWARD_FRONTIER_MAX_BYTES) &&
		   !steward_frontier_append(&frontier, &hash, NULL, NULL) &&
		   frontier.size == STEWARD_TREE_MAX_SIZE, "a full tree takes no leaf");
	tap_ok(steward_frontier_unpack(&frontier, STEWARD_TREE_MAX_SIZE - 1, bytes,
								   STEWARD_FRONTIER_MAX_BYTES - STEWARD_HASH_BYTES) &&
		   steward_frontier_append(&frontier, &hash, NULL, NULL) &&
		   frontier.count == STEWARD_TREE_LEVELS, "the last leaf fits");
	tap_ok(!steward_frontier_unpack(&frontier, STEWARD_TREE_MAX_SIZE + 1, bytes,
									STEWARD_HASH_BYTES), "no larger tree is read");
	steward_frontier_init(&frontier);
	tap_ok(!steward_frontier_add(&frontier, 63, &hash, NULL, NULL) &&
		   steward_frontier_add(&frontier, 62, &hash, NULL, NULL) &&
		   !steward_frontier_add(&frontier, 62, &hash, NULL, NULL),
		   "nor a subtree that does not fit");
}

/* What must not verify: a hash more or less, another place, a bit elsewhere. */
static int
count_accepted_paths(const StewardProof *proof, uint64_t index, uint64_t size,
					 const StewardHash *leaf, const StewardHash *root)
{
	StewardProof bad = *proof;
	int			accepted = 0;

	for (unsigned int i = 0; i < proof->count; i++)
	{
		bad.hashes[i].bytes[randombytes_uniform(32)] ^= (unsigned char) (1 << randombytes_uniform(8));
		accepted += steward_proof_shows_inclusion(&bad, index, size, leaf, root);
		bad = *proof;
	}
	bad.hashes[bad.count++] = *leaf;
	accepted += steward_proof_shows_inclusion(&bad, index, size, leaf, root);
	if (proof->count > 0)
	{
		bad.count = proof->count - 1;
		accepted += steward_proof_shows_inclusion(&bad, index, size, leaf, root);
	}
	accepted += steward_proof_shows_inclusion(proof, size, size, leaf, root);
	accepted += index + 1 < size &&
		steward_proof_shows_inclusion(proof, index + 1, size, leaf, root);
	accepted += steward_proof_shows_inclusion(proof, index, 2 * size + 1, leaf, root);
	accepted += size > 1 && steward_proof_shows_inclusion(proof, index, size, root, root);
	return accepted;
}

static void
test_inclusion(void)
{
	int			wrong = 0;
	int			accepted = 0;
	StewardProof proof;

	for (uint64_t size = 1; size <= 70; size++)
	{
		StewardHash root = defined_root(0, (size_t) size);

		for (uint64_t index = 0; index < size; index++)
		{
			wrong += !steward_proof_inclusion(&proof, index, size, get_subtree, &size) ||
				!steward_proof_shows_inclusion(&proof, index, size, &leaves[index], &root);
			accepted += count_accepted_paths(&proof, index, size, &leaves[index], &root);
		}
		wrong += steward_proof_inclusion(&proof, size, size, get_subtree, &size);
	}
	tap_ok(wrong == 0, "every leaf of 70 trees has a path that verifies");
	tap_ok(accepted == 0, "and no altered path does");
}

static int
count_accepted_growths(const StewardProof *proof, uint64_t old_size,
					   uint64_t new_size, const StewardHash *old_root,
					   const StewardHash *new_root)
{
	StewardProof bad = *proof;
	StewardHash other = leaves[LEAVES - 1];
	int			accepted = 0;

	for (unsigned int i = 0; i < proof->count; i++)
	{
		bad.hashes[i].bytes[randombytes_uniform(32)] ^= (unsigned char) (1 << randombytes_uniform(8));
		accepted += steward_proof_shows_consistency(&bad, old_size, new_size, old_root, new_root);
		bad = *proof;
	}
	bad.hashes[bad.count++] = other;
	accepted += steward_proof_shows_consistency(&bad, old_size, new_size, old_root, new_root);
	if (proof->count > 0)
	{
		bad.count = proof->count - 1;
		accepted += steward_proof_shows_consistency(&bad, old_size, new_size, old_root, new_root);
	}
	accepted += steward_proof_shows_consistency(proof, old_size, new_size, &other, new_root);
	accepted += old_size > 0 &&
		steward_proof_shows_consistency(proof, old_size, new_size, old_root, &other);
	accepted += old_size < new_size &&
		steward_proof_shows_consistency(proof, new_size, old_size, old_root, new_root);
	return accepted;
}

static void
test_consistency(void)
{
	int			wrong = 0;
	int			accepted = 0;
	StewardProof proof;

	for (uint64_t size = 0; size <= 70; size++)
	{
		StewardHash root = defined_root(0, (size_t) size);

		for (uint64_t before = 0; before <= size; before++)
		{
			StewardHash old_root = defined_root(0, (size_t) before);

			wrong += !steward_proof_consistency(&proof, before, size, get_subtree, &size) ||
				!steward_proof_shows_consistency(&proof, before, size, &old_root, &root);
			accepted += count_accepted_growths(&proof, before, size, &old_root, &root);
		}
		wrong += steward_proof_consistency(&proof, size + 1, size, get_subtree, &size);
	}
	tap_ok(wrong == 0, "every tree of up to 70 leaves is shown to begin with every smaller one");
	tap_ok(accepted == 0, "and no altered proof shows it");
}

/* Hashes of a tree so large that nothing can be computed: the longest proofs fit. */
static bool
get_any(void *context, unsigned int level, uint64_t index, StewardHash *hash)
{
	unsigned int *highest = context;

	if (level > *highest)
		*highest = level;
	if ((index + 1) > STEWARD_TREE_MAX_SIZE >> level)
		tap_bail("asked for a subtree that is not complete");
	memset(hash, (int) level, sizeof *hash);
	return true;
}

static bool
get_none(void *context, unsigned int level, uint64_t index, StewardHash *hash)
{
	(void) context;
	(void) level;
	(void) index;
	(void) hash;
	return false;
}

static void
test_longest(void)
{
	const uint64_t size = STEWARD_TREE_MAX_SIZE;
	StewardProof proof;
	StewardHash root;
	unsigned int highest = 0;
	unsigned int longest = 0;
	int			wrong = 0;

	for (unsigned int level = 0; level < 63; level++)
	{
		for (uint64_t delta = 0; delta < 3; delta++)
		{
			uint64_t	at = ((uint64_t) 1 << level) - 1 + delta;

			wrong += !steward_proof_inclusion(&proof, at, size, get_any, &highest);
			longest = proof.count > longest ? proof.count : longest;
			wrong += !steward_proof_consistency(&proof, at, size, get_any, &highest);
			longest = proof.count > longest ? proof.count : longest;
			wrong += !steward_proof_consistency(&proof, size - at, size, get_any, &highest);
			longest = proof.count > longest ? proof.count : longest;
		}
	}
	tap_ok(wrong == 0 && highest == 62 && longest <= STEWARD_PROOF_MAX_HASHES &&
		   longest >= 63, "the longest proofs fit: %u hashes", longest);
	tap_ok(!steward_proof_inclusion(&proof, 0, size + 1, get_any, &highest) &&
		   !steward_proof_consistency(&proof, 1, size + 1, get_any, &highest) &&
		   !steward_proof_range(&root, 0, size + 1, get_any, &highest) &&
		   !steward_proof_range(&root, 2, 1, get_any, &highest) &&
		   !steward_proof_range(&root, 1, 3, get_any, &highest),
		   "no proof in a larger tree, no range across the tree's own cuts");
	tap_ok(!steward_proof_inclusion(&proof, 1, 5, get_none, NULL) &&
		   !steward_proof_consistency(&proof, 3, 5, get_none, NULL) &&
		   !steward_proof_range(&root, 0, 5, get_none, NULL),
		   "what cannot be got makes no proof");
}

static void
test_tiles(void)
{
	StewardTileRun runs[STEWARD_TILE_MAX_LEVEL + 1];
	StewardTileRun cover;
	StewardHash hashes[STEWARD_TILE_WIDTH];
	StewardHash joined;
	StewardHash expected;
	int			wrong = 0;

	tap_ok(steward_tile_grown(runs, 255, 256) == 1 && runs[1].first == 0 &&
		   runs[1].count == 1 && runs[0].first == 255 && runs[0].count == 1,
		   "the 256th leaf completes the first entry");
	tap_ok(steward_tile_grown(runs, 70000, 70000) == 0 && runs[0].count == 0,
		   "no leaf completes nothing");
	tap_ok(steward_tile_grown(runs, 0, 70000) == 2 && runs[1].count == 273 &&
		   runs[2].count == 1 && steward_tile_entries(1, 70000) == 273,
		   "the example of the specification: 70000 leaves");
	tap_ok(steward_tile_grown(runs, 65535, 131072) == 2 && runs[1].first == 255 &&
		   runs[1].count == 257 && runs[2].first == 0 && runs[2].count == 2,
		   "growth across a tile");
	tap_ok(steward_tile_grown(runs, 0, STEWARD_TREE_MAX_SIZE) == STEWARD_TILE_MAX_LEVEL,
		   "the largest tree has the most levels");
	for (unsigned int level = 0; level < 63; level++)
	{
		uint64_t	index = (STEWARD_TREE_MAX_SIZE >> level) - 1;

		steward_tile_cover(&cover, level, index);
		wrong += cover.count > 128 ||
			cover.first / STEWARD_TILE_WIDTH != (cover.first + cover.count - 1) / STEWARD_TILE_WIDTH ||
			(cover.level > 0 && !steward_tile_keeps(8 * cover.level)) ||
			cover.first << (8 * cover.level) != index << level ||
			cover.count << (8 * cover.level) != (uint64_t) 1 << level;
	}
	tap_ok(wrong == 0, "every subtree follows from entries of one tile");
	steward_tile_cover(&cover, 5, 3);
	memcpy(hashes, leaves + cover.first, cover.count * sizeof hashes[0]);
	steward_merkle_join(&joined, hashes, cover.count);
	expected = defined_root(96, 32);
	tap_ok(steward_hash_equals(&joined, &expected), "by joining them");
	tap_ok(!steward_tile_keeps(0) && steward_tile_keeps(8) && !steward_tile_keeps(12),
		   "levels 8, 16, … are kept");
}

/* Entries as a ledger keeps them; NULL: none is there. */
static bool
load_run(void *context, const StewardTileRun *run, StewardHash *hashes)
{
	uint64_t	width = (uint64_t) 1 << (STEWARD_TILE_HEIGHT * run->level);

	if (context == NULL)
		return false;
	for (uint64_t i = 0; i < run->count; i++)
		hashes[i] = defined_root((size_t) ((run->first + i) * width), (size_t) width);
	return true;
}

static void
test_proofs_from_tiles(void)
{
	StewardTileSource source = {load_run, leaves};
	StewardTileSource nothing = {load_run, NULL};
	StewardProof direct;
	StewardProof proof;
	uint64_t	size = LEAVES;
	int			wrong = 0;

	for (uint64_t at = 0; at < size; at++)
	{
		wrong += !steward_proof_inclusion(&direct, at, size, get_subtree, &size) ||
			!steward_proof_inclusion(&proof, at, size, steward_tile_subtree, &source) ||
			direct.count != proof.count ||
			memcmp(direct.hashes, proof.hashes, proof.count * sizeof proof.hashes[0]) != 0;
		wrong += !steward_proof_consistency(&direct, at, size, get_subtree, &size) ||
			!steward_proof_consistency(&proof, at, size, steward_tile_subtree, &source) ||
			direct.count != proof.count ||
			memcmp(direct.hashes, proof.hashes, proof.count * sizeof proof.hashes[0]) != 0;
	}
	tap_ok(wrong == 0, "proofs from tiles are the same");
	tap_ok(!steward_proof_inclusion(&proof, 0, size, steward_tile_subtree, &nothing),
		   "without them there is none");
}

int
main(void)
{
	tap_begin();
	test_published();
	test_published_proofs();
	for (size_t i = 0; i < LEAVES; i++)
		randombytes_buf(&leaves[i], sizeof leaves[i]);
	test_frontier();
	test_add();
	test_limits();
	test_inclusion();
	test_consistency();
	test_longest();
	test_tiles();
	test_proofs_from_tiles();
	return tap_end();
}
