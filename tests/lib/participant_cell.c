/*
 * A participant in transactions, for tests: Prepare and Decide of proto/table.proto, on files
 * in its state directory.
 *
 *	ID.prepared    it has promised
 *	ID.commit      and carried it out
 *	deaf           while this is there, Decide fails with UNAVAILABLE
 */
#include <cell/cell.h>

#include "table.cell.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path(const uint8_t *id, const char *kind)
{
	static char paths[2][256];
	static unsigned turn;
	char *out = paths[turn++ % 2];
	int n = snprintf(out, sizeof paths[0], "%s/", getenv("CELL_STATEDIR"));

	for (size_t i = 0; id && i < 16; i++)
		n += snprintf(out + n, sizeof paths[0] - (size_t)n, "%02x", id[i]);
	(void)snprintf(out + n, sizeof paths[0] - (size_t)n, "%s", kind);
	return out;
}

static bool is_there(const uint8_t *id, const char *kind)
{
	return access(path(id, kind), F_OK) == 0;
}

static int prepare(struct cell_call *call, void *self, const struct table_prepare_request *in,
		   struct table_prepared *out)
{
	int fd;

	(void)self;
	(void)out;
	if (in->n_txn != 16)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "txn: %zu bytes", in->n_txn);
	if (is_there(in->txn, ".commit"))
		return 0;
	fd = open(path(in->txn, ".prepared"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return cell_refuse(call, -errno, "preparing: %s", strerror(errno));
	(void)close(fd);
	return 0;
}

static int decide(struct cell_call *call, void *self, const struct table_decision *in,
		  struct table_decided *out)
{
	(void)self;
	if (strcmp(cell_call_peer(call)->cell, "txn") != 0)
		return cell_refuse(call, CELL_PERMISSION_DENIED, "only txn decides");
	if (is_there(NULL, "deaf"))
		return cell_refuse(call, CELL_UNAVAILABLE, "deaf");
	out->version = in->commit ? 42 : 0;
	if (in->commit && is_there(in->txn, ".prepared"))
		(void)rename(path(in->txn, ".prepared"), path(in->txn, ".commit"));
	else if (!in->commit)
		(void)unlink(path(in->txn, ".prepared"));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct table_tables_handlers handlers = { .prepare = prepare,
							       .decide = decide };
	struct cell_call *call = cell_open(argc > 1 ? argv[1] : "participant");
	int err = cell_serve(call, &table_tables_service, &handlers, NULL);

	return cell_exit(call, err ? err : cell_loop_run(call));
}
