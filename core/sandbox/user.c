#include "user.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cell/log.h>

#define DEFAULT_USER  "cell"
#define FALLBACK_USER "nobody"
/* The overflow uid, where even "nobody" has no name. */
#define FALLBACK_ID 65534
/* Folders in folders of a state directory that change their owner. */
#define DEPTH_MAX 32

static void user_set(struct user *user, const char *name, uid_t uid, gid_t gid)
{
	(void)snprintf(user->name, sizeof user->name, "%s", name);
	user->uid = uid;
	user->gid = gid;
}

static bool user_look_up(struct user *user, const char *name)
{
	const struct passwd *entry = getpwnam(name);

	if (!entry)
		return false;
	user_set(user, name, entry->pw_uid, entry->pw_gid);
	return true;
}

static int find_named(struct user *user, const char *name, struct cell_error *err)
{
	const struct passwd *entry;
	unsigned long id;
	char *end;

	if (user_look_up(user, name))
		return 0;
	id = strtoul(name, &end, 10);
	if (*end || id >= (uid_t)-1)
		return cell_fail(err, -ENOENT, "there is no user '%s' to run the cell as",
				 name);
	entry = getpwuid((uid_t)id);
	user_set(user, name, (uid_t)id, entry ? entry->pw_gid : (gid_t)id);
	return 0;
}

static void find_default(struct user *user)
{
	if (user_look_up(user, DEFAULT_USER))
		return;
	if (!user_look_up(user, FALLBACK_USER))
		user_set(user, FALLBACK_USER, FALLBACK_ID, FALLBACK_ID);
	cell_log(CELL_LOG_WARN, "sandbox", "no_user",
		 "user=%s reason=\"there is no user '" DEFAULT_USER "'\"", user->name);
}

int user_find(struct user *ret, const char *name, struct cell_error *err)
{
	struct user user = { .is_change = geteuid() == 0 };
	int r = 0;

	if (!user.is_change) {
		const struct passwd *entry = getpwuid(getuid());

		user_set(&user, entry ? entry->pw_name : DEFAULT_USER, getuid(), getgid());
	} else if (name) {
		r = find_named(&user, name, err);
	} else {
		find_default(&user);
	}
	if (r < 0)
		return r;
	if (user.uid == 0)
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "user '%s' is root; no cell runs as root", user.name);
	*ret = user;
	return 0;
}

/*
 * The kernel checks files against the fsuid, and a change of it from 0 takes the
 * capabilities that would override, so this is exactly what USER will meet.
 */
bool user_reaches(const struct user *user, const char *path, int mode)
{
	bool does;

	if (!user->is_change)
		return access(path, mode) == 0;
	(void)setfsgid(user->gid);
	(void)setfsuid(user->uid);
	does = faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
	(void)setfsuid(0);
	(void)setfsgid(0);
	return does;
}

/*
 * What belonged to FROM in the folder DIR_FD (which is closed) becomes USER's. A file with
 * several names is left alone: one of them may be outside.
 */
static int folder_give(const struct user *user, uid_t from, int dir_fd, int depth)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		(void)close(dir_fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(dir))) {
		struct stat st;
		int child;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_uid != from || (!S_ISDIR(st.st_mode) && st.st_nlink != 1))
			continue;
		if (fchownat(dirfd(dir), entry->d_name, user->uid, user->gid,
			     AT_SYMLINK_NOFOLLOW) < 0)
			r = -errno;
		if (r < 0 || !S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
			continue;
		child = openat(dirfd(dir), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			r = folder_give(user, from, child, depth + 1);
	}
	(void)closedir(dir);
	return r;
}

int user_gets_folder(const struct user *user, int dir_fd, struct cell_error *err)
{
	struct stat st;
	int fd, r = 0;

	if (!user->is_change || fstat(dir_fd, &st) < 0 || st.st_uid == user->uid)
		return 0;
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		r = -errno;
	/* Inside first: while the top is not theirs, nobody can change it under us. */
	if (r == 0)
		r = folder_give(user, st.st_uid, fd, 0);
	if (r == 0 && fchown(dir_fd, user->uid, user->gid) < 0)
		r = -errno;
	if (r < 0)
		return cell_fail(err, r, "giving the state directory to user '%s': %s",
				 user->name, strerror(-r));
	return 0;
}

int user_become(const struct user *user, struct cell_error *err)
{
	if (!user->is_change)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return cell_fail(err, -errno, "becoming user '%s': %s", user->name,
				 strerror(errno));
	/* Not a matter to trust to return values alone. */
	if (getuid() == 0 || geteuid() == 0 || setresuid(0, 0, 0) == 0)
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "still root after becoming '%s'", user->name);
	return 0;
}
