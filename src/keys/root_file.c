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
#define OWNER_HINT "Make the server's user the owner of the file (chown), with mode 0600."
#define PLACE_HINT "Keep it where backups of the data directory do not reach."

/*
 * The file's real name: symbolic links must not lead into the data directory.
 * Returns a reason to refuse, or NULL.
 */
static const char *
resolve(const char *path, char real[MAXPGPATH], const char **hint)
{
	char		resolved[PATH_MAX];
	char		data[PATH_MAX];

	*hint = "Set steward.root_key_file to an absolute path.";
	if (path[0] != '/')
		return "The path is not absolute.";
	*hint = KEYGEN_HINT;
	if (realpath(path, resolved) == NULL)
	{
		if (errno == EACCES)
			*hint = "Let the server's user search the directories above the file.";
		return errno == ENOENT ? "The file does not exist." :
			errno == EACCES ? "The server's user cannot reach the file." :
			"The path cannot be resolved.";
	}
	*hint = PLACE_HINT;
	if (strlen(resolved) >= MAXPGPATH)
		return "The path is too long.";
	if (realpath(DataDir, data) == NULL)
		return "The data directory cannot be resolved.";
	if (path_is_prefix_of_path(data, resolved))
		return "The file lies inside the data directory.";
	strlcpy(real, resolved, MAXPGPATH);
	return NULL;
}

/* A reason to refuse an open file, or NULL. */
static const char *
examine(int fd, const char **hint)
{
	struct stat status;

	*hint = KEYGEN_HINT;
	if (fstat(fd, &status) != 0)
		return "The file cannot be examined.";
	if (!S_ISREG(status.st_mode))
		return "It is not a regular file.";
	*hint = OWNER_HINT;
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return "The file belongs to another user than the server's.";
	*hint = MODE_HINT;
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

	/* O_NONBLOCK: a FIFO in its place must not hang the backend. */
	fd = open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	*hint = OWNER_HINT;
	if (fd < 0)
		return errno == EACCES ? "The server's user may not open the file." :
			"The file cannot be opened.";
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

const char *
steward_root_file_try(const char *path, const char **hint)
{
	StewardSecrets *secrets = steward_secrets();
	char		real[MAXPGPATH];
	ssize_t		len = 0;
	size_t		bad_line;
	const char *reason = resolve(path, real, hint);
	StewardKeyringStatus status;

	if (reason != NULL)
		return reason;
	reason = slurp(real, secrets->keyring_text, &len, hint);
	if (reason != NULL)
	{
		sodium_memzero(secrets->keyring_text, sizeof secrets->keyring_text);
		return reason;
	}
	*hint = KEYGEN_HINT;
	status = steward_keyring_parse(&secrets->incoming, &bad_line,
								   secrets->keyring_text, (size_t) len);
	sodium_memzero(secrets->keyring_text, sizeof secrets->keyring_text);
	if (status == STEWARD_KEYRING_OK)
		return NULL;
	sodium_memzero(&secrets->incoming, sizeof secrets->incoming);
	if (status == STEWARD_KEYRING_EMPTY)
		return "The file holds no root key.";
	return psprintf("In line %zu: %s.", bad_line,
					steward_keyring_status_text(status));
}

void
steward_root_file_read(const char *path)
{
	const char *hint;
	const char *reason = steward_root_file_try(path, &hint);

	/* The file's name goes to the log only: the setting is for superusers. */
	if (reason != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("root key file cannot be used"),
				 errdetail("%s", reason),
				 errdetail_log("%s File: \"%s\".", reason, path),
				 errhint("%s", hint)));
}
