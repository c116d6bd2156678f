#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "inside.h"
#include "settle.h"

int cell_store_settle(struct cell_store *store, struct cell_error *err)
{
	return store->has_journal ? settle_all(store, err) : 0;
}

int cell_store_backup(struct cell_store *store, int fd, struct cell_error *err)
{
	int rc, r = cell_store_settle(store, err);

	if (r < 0)
		return r;
	rc = mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);

	/* A pipe cannot be synced, and need not. */
	if (rc == 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		rc = errno;
	if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "backing up '%s': no room where the copy goes",
				 store->folder.data_path);
	return rc ? store_fail(err, store, rc, "backing up") : 0;
}
