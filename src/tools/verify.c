/*
 * verify.c: pg_steward_verify, which checks what the ledger gave out: offline,
 * without the database and without trusting it.
 *
 * Everything it reads is foreign. It says "ok" and exits with 0 only when the
 * signature of the key that was named covers the tree head, and the tree head
 * what is to be shown. Whatever else a file holds is "not verified", exit code 1;
 * 2 is for wrong arguments and for files that cannot be read.
 */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/kdf.h"
#include "tools/verify.h"

#define PROGRAM "pg_steward_verify"
#define VERSION "1.0"

enum
{
	VERIFIED = 0, NOT_VERIFIED = 1, TROUBLE = 2
};

/* A log may have changed its key: the old one signed older checkpoints. */
#define MAX_KEYS 8

/* What the command line names. */
typedef struct Request
{
	StewardNoteKey keys[MAX_KEYS];
	int			key_count;
	const char *proof;
	const char *record;
	const char *old;
	const char *new;
	const char *checkpoint;
	const char *prune;
	const char *file;			/* the argument */
} Request;

typedef struct Command
{
	const char *name;
	const char *takes;			/* letters of its options, "f" for the
								 * argument */
	const char *needs;
	int			(*run) (const Request *request);
} Command;

static void
usage(FILE * stream)
{
	fputs("pg_steward_verify checks checkpoints, proofs and exports of a ledger.\n"
		  "\n"
		  "Usage:\n"
		  "  " PROGRAM " checkpoint  --key VKEY FILE\n"
		  "  " PROGRAM " inclusion   --key VKEY --proof FILE [--record FILE]\n"
		  "  " PROGRAM " consistency --key VKEY --old FILE --proof FILE [--new FILE]\n"
		  "  " PROGRAM " export      --key VKEY --checkpoint FILE [--prune FILE] RECORDS\n"
		  "  " PROGRAM " prune       --key VKEY FILE\n"
		  "  " PROGRAM " --help      show this help\n"
		  "  " PROGRAM " --version   show the version\n"
		  "\n"
		  "VKEY is the verifier key of the ledger, NAME+ID+KEY, got on a way that you\n"
		  "trust; --key may be given again for a key that the ledger had before.\n"
		  "One FILE may be -, for standard input.\n"
		  "\n"
		  "Exit code: 0 verified, 1 not verified, 2 wrong arguments or unreadable file.\n", stream);
}

__attribute__((format(printf, 1, 2)))
static int
not_verified(const char *format, ...)
{
	va_list		arguments;

	fputs(PROGRAM ": not verified: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return NOT_VERIFIED;
}

/* Reads a file; its bytes are the caller's to free, NULL after a message. */
static char *
slurp(const char *path, size_t *len)
{
	char	   *bytes = steward_read_file(path, len);

	if (bytes == NULL)
		fprintf(stderr, PROGRAM ": could not read \"%s\": %s\n", path,
				strerror(errno));
	return bytes;
}

/*
 * The one key that signed a note; NULL after a message. A wrong signature in the
 * name of any of the keys is one too many.
 */
static const StewardNoteKey *
find_signer(const Request *request, const char *what, const char *note,
			size_t len)
{
	const StewardNoteKey *signer = NULL;
	StewardNoteStatus status = STEWARD_NOTE_UNSIGNED;

	for (int i = 0; i < request->key_count; i++)
	{
		size_t		text_len;
		StewardNoteStatus its = steward_note_open(&text_len, note, len,
												  &request->keys[i]);

		if (its == STEWARD_NOTE_OK)
			signer = &request->keys[i];
		else if (its != STEWARD_NOTE_UNSIGNED)
			status = its;
	}
	if (signer != NULL && status == STEWARD_NOTE_UNSIGNED)
		return signer;
	(void) not_verified("%s: %s", what, steward_note_status_text(status));
	return NULL;
}

/* Verifies a checkpoint in memory; says why not. */
static bool
open_checkpoint(StewardCheckpoint *checkpoint, const Request *request,
				const char *what, const char *note, size_t len)
{
	const StewardNoteKey *signer = find_signer(request, what, note, len);
	StewardNoteStatus status;

	if (signer == NULL)
		return false;
	status = steward_checkpoint_open(checkpoint, note, len, signer);
	if (status != STEWARD_NOTE_OK)
		(void) not_verified("%s: %s", what, steward_note_status_text(status));
	return status == STEWARD_NOTE_OK;
}

/* Reads and verifies a checkpoint; its pointers are not valid any more. */
static int
load_checkpoint(StewardCheckpoint *checkpoint, const Request *request,
				const char *path)
{
	size_t		len;
	char	   *note = slurp(path, &len);
	bool		opened;

	if (note == NULL)
		return TROUBLE;
	opened = open_checkpoint(checkpoint, request, path, note, len);
	free(note);
	return opened ? VERIFIED : NOT_VERIFIED;
}

static int
load_prune(StewardPrune *prune, const Request *request, const char *path)
{
	size_t		len;
	char	   *note = slurp(path, &len);
	const StewardNoteKey *signer;
	StewardNoteStatus status;
	int			result = NOT_VERIFIED;

	if (note == NULL)
		return TROUBLE;
	signer = find_signer(request, path, note, len);
	if (signer != NULL)
	{
		status = steward_prune_open(prune, note, len, signer);
		result = status == STEWARD_NOTE_OK ? VERIFIED :
			not_verified("%s: %s", path, steward_note_status_text(status));
	}
	free(note);
	return result;
}

static void
print_head(const Request *request, const StewardCheckpoint *checkpoint)
{
	char		root[STEWARD_BASE64_CHARS(STEWARD_HASH_BYTES) + 1];

	*steward_put_base64(root, checkpoint->root.bytes, STEWARD_HASH_BYTES) = '\0';
	printf("log %s, %llu leaves, root %s\n", request->keys[0].name,
		   (unsigned long long) checkpoint->size, root);
}

static int
run_checkpoint(const Request *request)
{
	StewardCheckpoint checkpoint;
	int			result = load_checkpoint(&checkpoint, request, request->file);

	if (result == VERIFIED)
	{
		puts("ok: the checkpoint is signed by this key");
		print_head(request, &checkpoint);
	}
	return result;
}

static int
run_prune(const Request *request)
{
	StewardPrune prune;
	int			result = load_prune(&prune, request, request->file);

	if (result == VERIFIED)
		printf("ok: the prune certificate is signed by this key\n"
			   "log %s, records before leaf %llu are gone, and %llu behind it, the first segment left is %u\n",
			   request->keys[0].name, (unsigned long long) prune.boundary.size,
			   (unsigned long long) prune.removed, (unsigned int) prune.segment);
	return result;
}

/*
 * The leaf of an inclusion proof: what stands in the proof, in a file, or in both
 * and then the same. The caller frees it.
 */
static int
load_leaf(unsigned char **leaf, size_t *len, const Request *request,
		  const StewardProofText *proof)
{
	StewardProofText file = {0};
	char	   *text = NULL;
	int			result = VERIFIED;

	if (request->record != NULL)
	{
		text = slurp(request->record, &file.extra_len);
		if (text == NULL)
			return TROUBLE;
		file.extra = text;
		if (file.extra_len > 0 && text[file.extra_len - 1] == '\n')
			file.extra_len--;
	}
	if (text == NULL && proof->extra == NULL)
		result = not_verified("the proof holds no record; name one with --record");
	else if (text != NULL && proof->extra != NULL &&
			 (file.extra_len != proof->extra_len ||
			  memcmp(text, proof->extra, file.extra_len) != 0))
		result = not_verified("the record is not the one in the proof");
	else
	{
		const StewardProofText *source = text != NULL ? &file : proof;

		*leaf = malloc(steward_proof_extra_max(source) + 1);
		if (*leaf == NULL)
		{
			fputs(PROGRAM ": out of memory\n", stderr);
			result = TROUBLE;
		}
		else if (!steward_proof_extra(*leaf, len, source))
			result = not_verified("the record is not one line of base64");
	}
	free(text);
	return result;
}

static int
check_inclusion(const Request *request, const StewardProofText *proof,
				const unsigned char *leaf, size_t len)
{
	StewardCheckpoint checkpoint;
	StewardHash hash;

	if (!open_checkpoint(&checkpoint, request, "the checkpoint of the proof",
						 proof->checkpoint, proof->checkpoint_len))
		return NOT_VERIFIED;
	steward_merkle_leaf(&hash, leaf, len);
	if (!steward_proof_shows_inclusion(&proof->proof, proof->number,
									   checkpoint.size, &hash, &checkpoint.root))
		return not_verified("the proof does not lead from this record to the root of the checkpoint");
	printf("ok: this is leaf %llu\n", (unsigned long long) proof->number);
	print_head(request, &checkpoint);
	steward_describe_leaf(stdout, leaf, len);
	return VERIFIED;
}

static int
run_inclusion(const Request *request)
{
	size_t		len;
	char	   *bytes = slurp(request->proof, &len);
	StewardProofText proof;
	unsigned char *leaf = NULL;
	size_t		leaf_len = 0;
	int			result;

	if (bytes == NULL)
		return TROUBLE;
	if (!steward_proof_text_parse(&proof, STEWARD_PROOF_INCLUSION, bytes, len))
		result = not_verified("%s: it is not an inclusion proof", request->proof);
	else
	{
		result = load_leaf(&leaf, &leaf_len, request, &proof);
		if (result == VERIFIED)
			result = check_inclusion(request, &proof, leaf, leaf_len);
	}
	free(leaf);
	free(bytes);
	return result;
}

static int
check_consistency(const Request *request, const StewardProofText *proof,
				  const StewardCheckpoint *old)
{
	StewardCheckpoint checkpoint;
	StewardCheckpoint new;
	int			result;

	if (!open_checkpoint(&checkpoint, request, "the checkpoint of the proof",
						 proof->checkpoint, proof->checkpoint_len))
		return NOT_VERIFIED;
	if (request->new != NULL)
	{
		result = load_checkpoint(&new, request, request->new);
		if (result != VERIFIED)
			return result;
		if (new.size != checkpoint.size ||
			!steward_hash_equals(&new.root, &checkpoint.root))
			return not_verified("%s: it is not the checkpoint of the proof",
								request->new);
	}
	if (proof->number != old->size)
		return not_verified("the proof begins at %llu leaves, the old checkpoint has %llu",
							(unsigned long long) proof->number,
							(unsigned long long) old->size);
	if (!steward_proof_shows_consistency(&proof->proof, old->size, checkpoint.size,
										 &old->root, &checkpoint.root))
		return not_verified("the new checkpoint does not continue the old one");
	printf("ok: the first %llu leaves are the same\n",
		   (unsigned long long) old->size);
	print_head(request, &checkpoint);
	return VERIFIED;
}

static int
run_consistency(const Request *request)
{
	StewardCheckpoint old;
	int			result = load_checkpoint(&old, request, request->old);
	StewardProofText proof;
	char	   *bytes;
	size_t		len;

	if (result != VERIFIED)
		return result;
	bytes = slurp(request->proof, &len);
	if (bytes == NULL)
		return TROUBLE;
	result = steward_proof_text_parse(&proof, STEWARD_PROOF_CONSISTENCY, bytes, len) ?
		check_consistency(request, &proof, &old) :
		not_verified("%s: it is not a consistency proof", request->proof);
	free(bytes);
	return result;
}

/* A hash in place of a record hides it, unless the certificate counts it. */
static bool
hashes_are_allowed(const StewardExport *export)
{
	StewardPlaces places = export->places;
	StewardHash digest;

	steward_places_end(&places, &digest);
	if (export->prune == NULL)
		return export->hashes == 0;
	return export->hashes == export->prune->removed &&
		steward_hash_equals(&digest, &export->prune->places);
}

/* Every leaf was fed: is the tree the one that was signed? */
static int
check_export(const Request *request, const StewardExport *export,
			 const StewardCheckpoint *checkpoint)
{
	StewardHash root;

	if (export->tree.size != checkpoint->size)
		return not_verified("the export ends after %llu leaves, the checkpoint has %llu",
							(unsigned long long) export->tree.size,
							(unsigned long long) checkpoint->size);
	steward_frontier_root(&root, &export->tree);
	if (!steward_hash_equals(&root, &checkpoint->root))
		return not_verified("the exported leaves do not have the root of the checkpoint");
	if (export->head_differs)
		return not_verified("the exported leaves do not have the root of the prune certificate");
	if (!hashes_are_allowed(export))
		return not_verified("%llu hashes stand for records, which are not those that %s",
							(unsigned long long) export->hashes, export->prune == NULL ?
							"were pruned: there is no certificate" : "the prune certificate counts");
	printf("ok: the export is the log: %llu leaves from leaf %llu on\n",
		   (unsigned long long) (export->tree.size - export->first),
		   (unsigned long long) export->first);
	printf("records %llu, openings %llu, hashes of pruned records %llu, others %llu\n",
		   (unsigned long long) export->records,
		   (unsigned long long) export->openings,
		   (unsigned long long) export->hashes,
		   (unsigned long long) export->others);
	print_head(request, checkpoint);
	return VERIFIED;
}

static int
run_export(const Request *request)
{
	StewardCheckpoint checkpoint;
	StewardPrune prune;
	StewardExport export;
	int			result = load_checkpoint(&checkpoint, request, request->checkpoint);

	if (result == VERIFIED && request->prune != NULL)
		result = load_prune(&prune, request, request->prune);
	if (result != VERIFIED)
		return result;
	steward_export_begin(&export, request->prune != NULL ? &prune : NULL);
	switch (steward_export_read(&export, request->file, checkpoint.size))
	{
		case STEWARD_EXPORT_UNREADABLE:
			fprintf(stderr, PROGRAM ": could not read \"%s\": %s\n",
					request->file, strerror(errno));
			return TROUBLE;
		case STEWARD_EXPORT_BAD_LINE:
			return not_verified("%s: line %llu is not a leaf", request->file,
								(unsigned long long) export.lines);
		case STEWARD_EXPORT_TOO_MANY:
			return not_verified("the export has more leaves than the checkpoint: %llu",
								(unsigned long long) checkpoint.size);
		case STEWARD_EXPORT_READ:
			break;
	}
	return check_export(request, &export, &checkpoint);
}

static const Command commands[] = {
	{"checkpoint", "kf", "kf", run_checkpoint},
	{"inclusion", "kpr", "kp", run_inclusion},
	{"consistency", "kpon", "kpo", run_consistency},
	{"export", "kcxf", "kcf", run_export},
	{"prune", "kf", "kf", run_prune},
};

/* Where an option with this letter goes. */
static const char **
place_of(Request *request, int letter)
{
	switch (letter)
	{
		case 'p':
			return &request->proof;
		case 'r':
			return &request->record;
		case 'o':
			return &request->old;
		case 'n':
			return &request->new;
		case 'c':
			return &request->checkpoint;
		case 'x':
			return &request->prune;
		default:
			return &request->file;
	}
}

/* A verifier key; all are of one log. */
static bool
take_key(Request *request, const char *argument)
{
	StewardNoteKey *key = &request->keys[request->key_count];

	if (request->key_count == MAX_KEYS)
	{
		fprintf(stderr, PROGRAM ": there can be %d keys\n", MAX_KEYS);
		return false;
	}
	if (!steward_note_key_parse(key, argument, strlen(argument)))
	{
		fputs(PROGRAM ": the key is not a verifier key of Ed25519, NAME+ID+KEY\n", stderr);
		return false;
	}
	if (strcmp(key->name, request->keys[0].name) != 0)
	{
		fputs(PROGRAM ": the keys are of different logs\n", stderr);
		return false;
	}
	request->key_count++;
	return true;
}

/* One option; false after a message, or for the usage. */
static bool
take_option(Request *request, const Command *command, int letter,
			const char *argument, bool *told)
{
	if (letter == '?' || strchr(command->takes, letter) == NULL)
		return false;
	if (letter == 'k')
	{
		*told = !take_key(request, argument);
		return !*told;
	}
	if (*place_of(request, letter) != NULL)
		return false;
	*place_of(request, letter) = argument;
	return true;
}

static bool
read_arguments(Request *request, const Command *command, int argc, char **argv,
			   bool *told)
{
	static const struct option options[] = {
		{"key", required_argument, NULL, 'k'},
		{"proof", required_argument, NULL, 'p'},
		{"record", required_argument, NULL, 'r'},
		{"old", required_argument, NULL, 'o'},
		{"new", required_argument, NULL, 'n'},
		{"checkpoint", required_argument, NULL, 'c'},
		{"prune", required_argument, NULL, 'x'},
		{NULL, 0, NULL, 0}
	};
	int			inputs = 0;
	int			letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		if (!take_option(request, command, letter, optarg, told))
			return false;
	}
	for (; optind < argc; optind++)
	{
		if (!take_option(request, command, 'f', argv[optind], told))
			return false;
	}
	for (const char *need = command->needs; *need != '\0'; need++)
	{
		if (*need == 'k' ? request->key_count == 0 : *place_of(request, *need) == NULL)
			return false;
	}
	for (const char *letters = "pronxcf"; *letters != '\0'; letters++)
	{
		const char *path = *place_of(request, *letters);

		inputs += path != NULL && strcmp(path, "-") == 0;
	}
	return inputs <= 1;
}

int
main(int argc, char **argv)
{
	Request		request = {0};
	const Command *command = NULL;
	bool		told = false;
	int			result;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
	{
		usage(stdout);
		return fflush(stdout) == 0 ? VERIFIED : TROUBLE;
	}
	if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
	{
		puts(PROGRAM " " VERSION);
		return fflush(stdout) == 0 ? VERIFIED : TROUBLE;
	}
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
	{
		if (strcmp(argv[1], commands[i].name) == 0)
			command = &commands[i];
	}
	if (command == NULL ||
		!read_arguments(&request, command, argc - 1, argv + 1, &told))
	{
		if (!told)
			usage(stderr);
		return TROUBLE;
	}
	if (steward_crypto_init() != 0)
	{
		fputs(PROGRAM ": libsodium could not be initialised\n", stderr);
		return TROUBLE;
	}
	result = command->run(&request);
	/* What could not be written has not been said. */
	if (fflush(stdout) != 0)
		return TROUBLE;
	return result;
}
