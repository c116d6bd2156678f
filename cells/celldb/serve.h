/*
 * The methods of Tables, by what they do: rpc.c lists them.
 */
#pragma once

#include "celldb.h"
#include "group.h"
#include "reader.h"

/* Items of streams are about so large. */
#define SERVE_ITEM_BYTES (32u * 1024)
/* Watches at once: each is a handler that waits, of which there may be 256. */
#define SERVE_WATCHES_MAX 128

/* Who calls. */
struct catalog_peer serve_peer(const struct cell_call *call);

/* read.c */
/* What the store is, in VIEW. */
int serve_head(const struct view *view, struct record_meta *ret, struct cell_error *err);
/* What RangeRead.mark is for what VIEW shows, in CALL. */
int serve_mark(struct cell_call *call, const struct view *view, const uint8_t **ret, size_t *ret_n);
int serve_get(struct cell_call *call, void *self, const struct table_get_request *in,
	      struct table_get_reply *out);
int serve_count(struct cell_call *call, void *self, const struct table_scan_request *in,
		struct table_counted *out);
/* scan.c */
int serve_scan(struct cell_call *call, void *self, const struct table_scan_request *in,
	       struct table_rows_sink *out);
/* write.c */
int serve_commit(struct cell_call *call, void *self, const struct table_commit_request *in,
		 struct table_committed *out);
int serve_prepare(struct cell_call *call, void *self, const struct table_prepare_request *in,
		  struct table_prepared *out);
int serve_decide(struct cell_call *call, void *self, const struct table_decision *in,
		 struct table_decided *out);
int serve_next(struct cell_call *call, void *self, const struct table_next_request *in,
	       struct table_next_reply *out);
/* watch.c */
int serve_watch(struct cell_call *call, void *self, const struct table_watch_request *in,
		struct table_changes_sink *out);
/* There has been a commit. */
void watch_wake(struct celldb *db);

/* tools.c: the declaration of TABLE, copied into CALL. */
int tools_copy(struct cell_call *call, const struct catalog_table *table,
	       const struct table_table **ret);

/* doubt.c: ask for decisions that do not come; to be called from the loop each second. */
void doubt_ask(struct celldb *db, struct cell_call *call);
