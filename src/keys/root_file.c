/*
 * root_file.c: root keys from a file, with every refusal; see roots.h.
 */
#include "base/compat.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/roots.h"
#include "keys/secrets.h"
#include "miscadmin.h"

#define KEYGEN_HINT "Write it with pg_steward_keygen, as the server's user."
#define MODE_HINT "Make the file readable by the server's user alone (chmod 0600)."
#define PLACE_HINT "Keep it where backups of the data directory do not reach."

/* The file's name goes to the log only: the setting is for superusers. */
static pg_attribute_noreturn() void
refuse(const char *path, const char *reason, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("root key file cannot be used"),
			 errdetail("%s", reason),
			 errdetail_log("%s File: \"%s\".", reason, path),
			 errhint("%s", hint)));
}

/* The file's real name: symbolic links must not lead into the data directory. */
static void
resolve(const char *path, char real[MAXPGPATH])
{
	char		resolved[PATH_MAX];
	char		data[PATH_MAX];

	if (path[0] != '/')
		refuse(path, "The path is not absolute.",
			   "Set steward.root_key_file to an absolute path.");
	if (realpath(path, resolved) == NULL)
	{
		int			error = errno;

		refuse(path,
			   error == ENOENT ? "The file does not exist." :
			   error == EACCES ? "The file cannot be read." :
			   "The path cannot be resolved.", KEYGEN_HINT);
	}
	if (strlen(resolved) >= MAXPGPATH)
		refuse(path, "The path is too long.", PLACE_HINT);
	if (realpath(DataDir, data) == NULL)
		refuse(path, "The data directory cannot be resolved.", PLACE_HINT);
	if (path_is_prefix_of_path(data, resolved))
		refuse(path, "The file lies inside the data directory.", PLACE_HINT);
	strlcpy(real, resolved, MAXPGPATH);
}

/* A reason to refuse an open file, or NULL. */
static const char *
examine(int fd, const char **hint)
{
	struct stat status;

	*hint = MODE_HINT;
	if (fstat(fd, &status) != 0)
		return "The file cannot be examined.";
	if (!S_ISREG(status.st_mode))
		return "It is not a regular file.";
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return "The file belongs neither to the server's user nor to root.";
	if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return "The file is accessible by group or others.";
	*hint = KEYGEN_HINT;
	if (status.st_size > STEWARD_KEYRING_MAX_BYTES)
		return "The file is too large for a keyring.";
	if (status.st_size == 0)
		return "The file is empty.";
	return NULL;
}

/* Reads at most STEWARD_KEYRING_MAX_BYTES + 1 bytes; -1 on an error. */
static ssize_t
read_all(int fd, char *text)
{
	ssize_t		total = 0;

	while (total <= STEWARD_KEYRING_MAX_BYTES)
	{
		ssize_t		got = read(fd, text + total,
							   STEWARD_KEYRING_MAX_BYTES + 1 - total);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		total += got;
	}
	return total;
}

/*
 * Opens, examines and reads; no error is raised while the descriptor is open,
 * so it cannot leak. Returns a reason to refuse, or NULL and the length.
 */
static const char *
slurp(const char *real, char *text, ssize_t *len, const char **hint)
{
	const char *reason;
	int			fd;

	*hint = MODE_HINT;
	/* O_NONBLOCK: a FIFO in its place must not hang the backend. */
	fd = open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return "The file cannot be opened.";
	reason = examine(fd, hint);
	if (reason == NULL)
	{
		*len = read_all(fd, text);
		if (*len < 0)
			reason = "The file cannot be read.";
		else if (*len > STEWARD_KEYRING_MAX_BYTES)
			reason = "The file is too large for a keyring.";
	}
	(void) close(fd);
	return reason;
}

void
steward_root_file_read(const char *path)
{
	StewardSecrets *secrets = steward_secrets();
	char		real[MAXPGPATH];
	ssize_t		len = 0;
	size_t		bad_line;
	const char *hint;
	const char *reason;
	StewardKeyringStatus status;

	resolve(path, real);
	reason = slurp(real, secrets->keyring_text, &len, &hint);
	if (reason != NULL)
	{
		sodium_memzero(secrets->keyring_text, sizeof secrets->keyring_text);
		refuse(path, reason, hint);
	}
	status = steward_keyring_parse(&secrets->incoming, &bad_line,
								   secrets->keyring_text, (size_t) len);
	sodium_memzero(secrets->keyring_text, sizeof secrets->keyring_text);
	if (status == STEWARD_KEYRING_EMPTY)
		refuse(path, "The file holds no root key.", KEYGEN_HINT);
	if (status != STEWARD_KEYRING_OK)
		refuse(path, psprintf("In line %zu: %s.", bad_line,
							  steward_keyring_status_text(status)),
			   KEYGEN_HINT);
}
