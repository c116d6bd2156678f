/* The methods of Tables: proto/table.proto says what each promises. */
#include "serve.h"

#include <cell/cell.h>

static int query(struct cell_call *call, void *self, const struct table_query_request *in,
		 struct table_query_rows_sink *out)
{
	(void)self;
	(void)in;
	(void)out;
	return cell_refuse(call, CELL_UNIMPLEMENTED,
			   "celldb has no query language: use tables and their functions");
}

const struct table_tables_handlers celldb_tables_handlers = {
	.get = serve_get,
	.scan = serve_scan,
	.count = serve_count,
	.commit = serve_commit,
	.prepare = serve_prepare,
	.decide = serve_decide,
	.next = serve_next,
	.watch = serve_watch,
	.query = query,
};
