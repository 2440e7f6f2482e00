/*
 * keygen.c: pg_steward_keygen, which makes and checks keyring files, and files
 * with context keys, which are derived from a root.
 *
 * Keys are only ever in one block of memory that is locked and zeroed at the
 * end, and in the file; never in an argument, in the environment or on a
 * terminal. Core dumps and debuggers are shut out.
 *
 * A keyring is changed by writing its successor beside it under the name
 * FILE.new and renaming that over it: readers see the old one or the new one.
 * FILE.new is created exclusively before the keyring is read, so that two
 * changes at a time cannot lose a root.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/context_mac.h"
#include "crypto/keyring.h"
#include "crypto/random.h"

#define PROGRAM "pg_steward_keygen"
#define VERSION "1.0"
#define NEW_SUFFIX ".new"
#define ID_TEXT_BYTES (2 * STEWARD_ROOT_ID_BYTES + 1)

/* Everything secret. One byte of text more than a keyring may have. */
static struct
{
	unsigned char key[STEWARD_KEY_BYTES];
	StewardKeyring keyring;
	size_t		text_len;
	char		text[STEWARD_KEYRING_MAX_BYTES + 1];
	char		line[STEWARD_KEYRING_LINE_BYTES];
}			secret;

/* A file by its directory, so that the directory can be synced as well. */
typedef struct Target
{
	const char *path;			/* as given, for messages */
	const char *name;			/* within the directory */
	int			directory;
	char	   *new_name;
} Target;

__attribute__((format(printf, 1, 2)))
static bool
fail(const char *format, ...)
{
	va_list		arguments;

	fputs(PROGRAM ": ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return false;
}

static void
usage(FILE *stream)
{
	fputs("pg_steward_keygen makes the file that steward.root_key_file names.\n"
		  "\n"
		  "Usage:\n"
		  "  " PROGRAM " FILE          make a keyring with one new root key\n"
		  "  " PROGRAM " --add FILE    add a new root key, which becomes the current one\n"
		  "  " PROGRAM " --check FILE  check a keyring and print its root ids\n"
		  "  " PROGRAM " --context NAME --realm REALM FILE KEYFILE\n"
		  "                              write the context key NAME of the database with this\n"
		  "                              realm to KEYFILE, for the application\n"
		  "  " PROGRAM " --help        show this help\n"
		  "  " PROGRAM " --version     show the version\n"
		  "\n"
		  "The file gets mode 0600. Keep it outside the data directory and its backups,\n"
		  "and keep a copy: without it encrypted values are lost for good.\n", stream);
}

/* Shuts out core dumps, debuggers, swap and half-done work. */
static bool
harden(void)
{
	const struct rlimit none = {0, 0};
	sigset_t	signals;

	if (setrlimit(RLIMIT_CORE, &none) != 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return fail("could not switch off core dumps: %s", strerror(errno));
	if (steward_crypto_init() != 0)
		return fail("libsodium could not be initialised");
	if (sodium_mlock(&secret, sizeof secret) != 0)
		(void) fail("warning: could not lock memory, keys may reach swap space");
	/* An interrupt must not leave a temporary file with keys behind. */
	(void) sigemptyset(&signals);
	(void) sigaddset(&signals, SIGHUP);
	(void) sigaddset(&signals, SIGINT);
	(void) sigaddset(&signals, SIGPIPE);
	(void) sigaddset(&signals, SIGTERM);
	(void) sigprocmask(SIG_BLOCK, &signals, NULL);
	return true;
}

static bool
open_target(Target *target, const char *path)
{
	const char *slash = strrchr(path, '/');
	char	   *directory;
	size_t		new_size;

	target->path = path;
	target->name = slash != NULL ? slash + 1 : path;
	if (target->name[0] == '\0')
		return fail("\"%s\" does not name a file", path);
	if (slash == NULL)
		directory = strdup(".");
	else
		directory = strndup(path, slash == path ? 1 : (size_t) (slash - path));
	new_size = strlen(target->name) + sizeof NEW_SUFFIX;
	target->new_name = malloc(new_size);
	if (directory == NULL || target->new_name == NULL)
		return fail("out of memory");
	(void) snprintf(target->new_name, new_size, "%s" NEW_SUFFIX, target->name);

	target->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->directory < 0)
		(void) fail("could not open directory \"%s\": %s", directory,
					strerror(errno));
	free(directory);
	return target->directory >= 0;
}

static void
close_target(Target *target)
{
	if (target->directory >= 0)
		(void) close(target->directory);
	free(target->new_name);
}

/* Creates a file that nobody else can read and that did not exist: a
 * descriptor, or -1 with errno. */
static int
create_file(const Target *target, const char *name)
{
	int			fd = openat(target->directory, name,
							O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
							S_IRUSR | S_IWUSR);

	if (fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) != 0)
	{
		int			saved = errno;

		(void) close(fd);
		(void) unlinkat(target->directory, name, 0);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Writes, syncs and closes; false with errno. The descriptor is gone. */
static bool
write_and_close(int fd, const char *text, size_t len)
{
	bool		written = true;
	int			saved;

	while (written && len > 0)
	{
		ssize_t		n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			written = false;
		if (n > 0)
		{
			text += n;
			len -= (size_t) n;
		}
	}
	if (written && fsync(fd) != 0)
		written = false;
	saved = errno;
	if (close(fd) != 0 && written)
		return false;
	errno = saved;
	return written;
}

/* Reads a private, regular file of bounded size into the secret text. */
static bool
read_text(const Target *target, struct stat *status)
{
	int			fd = openat(target->directory, target->name,
							O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t		n = 1;
	bool		read_all = false;

	if (fd < 0)
		return fail("could not open \"%s\": %s", target->path, strerror(errno));
	if (fstat(fd, status) != 0)
		(void) fail("could not stat \"%s\": %s", target->path, strerror(errno));
	else if (!S_ISREG(status->st_mode))
		(void) fail("\"%s\" is not a regular file", target->path);
	else if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		(void) fail("\"%s\" has group or world access; its mode should be 0600",
					target->path);
	else
	{
		secret.text_len = 0;
		while (n != 0 && secret.text_len < sizeof secret.text)
		{
			n = read(fd, secret.text + secret.text_len,
					 sizeof secret.text - secret.text_len);
			if (n < 0 && errno != EINTR)
				break;
			if (n > 0)
				secret.text_len += (size_t) n;
		}
		if (n < 0)
			(void) fail("could not read \"%s\": %s", target->path,
						strerror(errno));
		else if (secret.text_len > STEWARD_KEYRING_MAX_BYTES)
			(void) fail("\"%s\" is longer than %d bytes", target->path,
						STEWARD_KEYRING_MAX_BYTES);
		else
			read_all = true;
	}
	(void) close(fd);
	return read_all;
}

/* Parses the secret text; says which line is wrong, never what is in it. */
static bool
parse_text(const Target *target)
{
	size_t		bad_line;
	StewardKeyringStatus status = steward_keyring_parse(&secret.keyring,
														&bad_line, secret.text,
														secret.text_len);

	if (status == STEWARD_KEYRING_OK)
		return true;
	if (bad_line == 0)
		return fail("\"%s\" is not a keyring: %s", target->path,
					steward_keyring_status_text(status));
	return fail("\"%s\" is not a keyring: line %zu: %s", target->path, bad_line,
				steward_keyring_status_text(status));
}

static bool
print_id(const unsigned char *id, const char *note)
{
	char		text[ID_TEXT_BYTES];

	(void) sodium_bin2hex(text, sizeof text, id, STEWARD_ROOT_ID_BYTES);
	if (printf("%s%s\n", text, note) < 0 || fflush(stdout) != 0)
		return fail("could not write the root id: %s", strerror(errno));
	return true;
}

/* Makes a key and its line; the id of the key. */
static void
make_line(unsigned char id[STEWARD_ROOT_ID_BYTES])
{
	steward_random_key(secret.key, sizeof secret.key);
	steward_kdf_root_id(id, secret.key);
	steward_keyring_format(secret.line, secret.key);
}

static bool
create_keyring(const Target *target)
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];
	int			fd = create_file(target, target->name);

	if (fd < 0)
		return fail("could not create \"%s\": %s", target->path,
					strerror(errno));
	make_line(id);
	if (!write_and_close(fd, secret.line, strlen(secret.line)) ||
		fsync(target->directory) != 0)
	{
		(void) fail("could not write \"%s\": %s", target->path,
					strerror(errno));
		(void) unlinkat(target->directory, target->name, 0);
		return false;
	}
	return print_id(id, "");
}

/* Appends a new root to the secret text and checks the result. */
static bool
append_root(const Target *target, unsigned char id[STEWARD_ROOT_ID_BYTES])
{
	size_t		line_len;

	if (!parse_text(target))
		return false;
	if (secret.keyring.count == STEWARD_KEYRING_MAX_ROOTS)
		return fail("\"%s\" already holds %d root keys, the most there can be",
					target->path, STEWARD_KEYRING_MAX_ROOTS);
	make_line(id);
	line_len = strlen(secret.line);
	if (secret.text_len + 1 + line_len > STEWARD_KEYRING_MAX_BYTES)
		return fail("\"%s\" would become longer than %d bytes", target->path,
					STEWARD_KEYRING_MAX_BYTES);
	if (secret.text[secret.text_len - 1] != '\n')
		secret.text[secret.text_len++] = '\n';
	memcpy(secret.text + secret.text_len, secret.line, line_len);
	secret.text_len += line_len;
	return parse_text(target);
}

/*
 * Fills FILE.new, whose descriptor this closes, and puts it in place. The
 * owner stays: root may run this for a keyring that the server must read.
 */
static bool
replace_keyring(const Target *target, int fd,
				unsigned char id[STEWARD_ROOT_ID_BYTES])
{
	struct stat status;

	if (!read_text(target, &status) || !append_root(target, id))
	{
		(void) close(fd);
		return false;
	}
	if ((status.st_uid != geteuid() || status.st_gid != getegid()) &&
		fchown(fd, status.st_uid, status.st_gid) != 0)
	{
		bool		owned = status.st_uid == geteuid();
		int			saved = errno;

		(void) close(fd);
		if (owned)
			return fail("could not keep the group of \"%s\": %s; give the file a group of yours with chgrp, or run this as root",
						target->path, strerror(saved));
		return fail("could not keep the owner of \"%s\": %s", target->path,
					strerror(saved));
	}
	if (!write_and_close(fd, secret.text, secret.text_len) ||
		renameat(target->directory, target->new_name, target->directory,
				 target->name) != 0)
		return fail("could not replace \"%s\": %s", target->path,
					strerror(errno));
	return true;
}

static bool
add_root(const Target *target)
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];
	int			fd = create_file(target, target->new_name);

	if (fd < 0 && errno == EEXIST)
		return fail("\"%s" NEW_SUFFIX "\" exists: another change is under way, or one was "
					"cut off; remove the file if none is running", target->path);
	if (fd < 0)
		return fail("could not create \"%s" NEW_SUFFIX "\": %s", target->path,
					strerror(errno));
	if (!replace_keyring(target, fd, id))
	{
		(void) unlinkat(target->directory, target->new_name, 0);
		return false;
	}
	if (fsync(target->directory) != 0)
		return fail("could not sync the directory of \"%s\": %s", target->path,
					strerror(errno));
	return print_id(id, "");
}

static bool
check_keyring(const Target *target)
{
	struct stat status;

	if (!read_text(target, &status) || !parse_text(target))
		return false;
	for (size_t i = 0; i < secret.keyring.count; i++)
	{
		bool		current = i + 1 == secret.keyring.count;

		if (!print_id(secret.keyring.roots[i].id, current ? " current" : ""))
			return false;
	}
	return true;
}

/* What --context makes. */
static struct
{
	const char *name;
	const char *realm_text;
	const char *output;
	unsigned char realm[STEWARD_REALM_BYTES];
}			context;

static bool
parse_realm(void)
{
	size_t		len;
	const char *end;

	if (sodium_hex2bin(context.realm, sizeof context.realm, context.realm_text,
					   strlen(context.realm_text), "-", &len, &end) == 0 &&
		len == sizeof context.realm && *end == '\0')
		return true;
	return fail("\"%s\" is not a realm: steward.create_context_key() shows it",
				context.realm_text);
}

/* The key in base64, on a line of its own. */
static bool
write_context_key(const Target *output)
{
	const StewardKeyring *keyring = &secret.keyring;
	size_t		len;
	int			fd = create_file(output, output->name);

	if (fd < 0)
		return fail("could not create \"%s\": %s", output->path, strerror(errno));
	steward_context_key(secret.key, keyring->roots[keyring->count - 1].key,
						context.realm, context.name, strlen(context.name));
	(void) sodium_bin2base64(secret.line, sizeof secret.line, secret.key,
							 sizeof secret.key, sodium_base64_VARIANT_ORIGINAL);
	len = strlen(secret.line);
	secret.line[len++] = '\n';
	if (write_and_close(fd, secret.line, len) && fsync(output->directory) == 0)
		return true;
	(void) fail("could not write \"%s\": %s", output->path, strerror(errno));
	(void) unlinkat(output->directory, output->name, 0);
	return false;
}

static bool
make_context_key(const Target *target)
{
	struct stat status;
	Target		output = {.directory = -1};
	bool		made = parse_realm() && read_text(target, &status) &&
		parse_text(target) && open_target(&output, context.output) &&
		write_context_key(&output);

	close_target(&output);
	return made;
}

static bool
run(bool (*action) (const Target *), const char *path)
{
	Target		target = {.directory = -1};
	bool		done = harden() && open_target(&target, path) && action(&target);

	close_target(&target);
	(void) sodium_munlock(&secret, sizeof secret);	/* zeroes it */
	return done;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"add", no_argument, NULL, 'a'},
		{"check", no_argument, NULL, 'c'},
		{"context", required_argument, NULL, 'x'},
		{"realm", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}
	};
	bool		(*action) (const Target *) = NULL;
	int			option;

	while ((option = getopt_long(argc, argv, "hV", options, NULL)) != -1)
	{
		if (option == 'h' || option == 'V')
		{
			if (option == 'h')
				usage(stdout);
			else
				puts(PROGRAM " " VERSION);
			return fflush(stdout) == 0 ? 0 : 1;
		}
		if (option == 'r' && context.realm_text == NULL)
		{
			context.realm_text = optarg;
			continue;
		}
		if (option == '?' || option == 'r' || action != NULL)
		{
			usage(stderr);
			return 2;
		}
		if (option == 'x')
			context.name = optarg;
		action = option == 'a' ? add_root :
			option == 'c' ? check_keyring : make_context_key;
	}
	if (context.name != NULL && optind + 2 == argc)
		context.output = argv[optind + 1];
	if ((context.name != NULL) != (context.realm_text != NULL) ||
		optind + (context.name != NULL ? 2 : 1) != argc ||
		(context.name != NULL && context.name[0] == '\0'))
	{
		usage(stderr);
		return 2;
	}
	return run(action != NULL ? action : create_keyring, argv[optind]) ? 0 : 1;
}
