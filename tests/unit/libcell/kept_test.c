/*
 * Services whose state lasts: each handler on a copy of its own, stored when it says that all
 * is well. The service is linked into this program; its table is at a database beside it.
 */
#include "bank.cell.h"
#include "crew.h"
#include "memdb.h"

#include <cell/linked.h>
#include <cell/stream.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counter {
	int64_t n;
	const char *last;
	uint32_t starts;
};

#define INT64 TABLE_COLUMN_TYPE_INT64
static const struct table_table told = {
	.store = "counter",
	.name = "counter",
	.n_columns = 3,
	.columns =
		(const struct table_column[]){
			{ .number = 1, .name = "n", .type = INT64 },
			{ .number = 2, .name = "last", .type = TABLE_COLUMN_TYPE_TEXT },
			{ .number = 3, .name = "starts", .type = TABLE_COLUMN_TYPE_UINT32 } },
	.key = &(const struct table_index){ 0 },
};

#define COLUMN(member_, number_, kind_)                                                      \
	{                                                                                    \
		.name = #member_, .number = (number_), .kind = CELL_COLUMN_##kind_,          \
		.offset = offsetof(struct counter, member_), .has_offset = UINT32_MAX,       \
		.count_offset = UINT32_MAX, .size = sizeof(((struct counter *)0)->member_)   \
	}
static struct cell_ref celldb_ref = CELL_REF("celldb");
static struct cell_table counter_table = {
	.ref = &celldb_ref,
	.store = "counter",
	.name = "counter",
	.row_size = sizeof(struct counter),
	.columns = (const struct cell_column[]){ COLUMN(n, 1, INT64), COLUMN(last, 2, TEXT),
						 COLUMN(starts, 3, UINT32) },
	.n_columns = 3,
	.keys = (const struct cell_table_key[]){ { "", NULL, 0, true } },
	.n_keys = 1,
};

/* A Receipt without its status, which describes itself as messages of macros do. */
static const uint8_t note_descriptor[] =
	"\x0a\x04Note\x12\x0f\x0a\x07"
	"balance\x18\x01\x20\x01\x28\x03\x12\x0d\x0a\x05owner\x18\x02\x20\x01\x28\x09";
static const struct cell_message_schema note_schema = { .descriptor = note_descriptor,
							.descriptor_len =
								sizeof note_descriptor - 1 };
static struct cell_message_type note_type;

static struct memdb_shared *shared;
static struct crew crew;
static struct cell_call *call, *other;
static unsigned runs, losses;
static bool must_fail;

/* Somebody else writes the state in between. */
static void lose(void)
{
	struct counter counter = { 0 };

	if (runs++ >= losses)
		return;
	(void)cell_table_get(other, &counter_table, 0, &counter, &counter);
	counter.n += 1000;
	ck_assert_int_eq(cell_table_put(other, &counter_table, &counter), 0);
}

static int add(struct cell_call *by, struct counter *self, const struct bank_receipt *in,
	       struct bank_receipt *out)
{
	ck_assert_str_eq(in->owner, "Ada Lovelace");
	ck_assert_int_eq(out->balance, 0); /* zeroed again */
	out->balance = -1;
	lose();
	self->n += in->balance;
	self->last = in->owner;
	if (must_fail)
		return cell_refuse(by, CELL_FAILED_PRECONDITION, "no");
	*out = (struct bank_receipt){ .balance = self->n, .owner = self->last };
	return 0;
}

static const struct cell_linked_method add_method, look_method, list_method;

static int run_add(const void *handlers, struct cell_call *by, void *self, const void *in,
		   void *out)
{
	const struct bank_receipt *request = cell_request(by, &add_method.method, in);

	ck_assert_ptr_null(handlers);
	return request ? add(by, self, request, out) : cell_error(by)->code;
}

static int run_look(const void *handlers, struct cell_call *by, void *self, const void *in,
		    void *out)
{
	struct counter *counter = self;
	struct bank_receipt *receipt = out;

	(void)handlers;
	(void)by;
	(void)in;
	*receipt = (struct bank_receipt){ .balance = counter->n, .owner = counter->last };
	return 0;
}

static int run_list(const void *handlers, struct cell_call *by, void *self, const void *in,
		    void *out)
{
	struct counter *counter = self;

	(void)handlers;
	(void)in;
	(void)by;
	lose();
	for (int i = 0; i < 3; i++) {
		struct bank_receipt item = { .balance = ++counter->n, .owner = "" };

		ck_assert_int_eq(cell_stream_send(out, &item), 0);
	}
	return 0;
}

#define METHOD(variable, name_, invoke_, flags_)                                             \
	static const struct cell_linked_method variable = {                                  \
		.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },         \
		.service = "counter",                                                        \
		.method = { .name = name_,                                                   \
			    .full_name = "cell.counter.v1.Counter/" name_,                   \
			    .hash = 0x1000 + sizeof name_,                                   \
			    .flags = (flags_),                                               \
			    .in = &note_type,                                                \
			    .out = &note_type },                                             \
		.invoke = invoke_,                                                           \
	};                                                                                   \
	CELL_LINK(variable##_link, variable)
METHOD(add_method, "Add", run_add, CELL_METHOD_UNDECODED);
METHOD(look_method, "Look", run_look, CELL_METHOD_IDEMPOTENT);
METHOD(list_method, "Listed", run_list, CELL_METHOD_SERVER_STREAM);

static int starts(struct cell_call *by, void *self)
{
	struct counter *counter = self;

	(void)by;
	counter->starts++;
	return 0;
}

static int stops(struct cell_call *by, void *self)
{
	struct counter *counter = self;

	(void)by;
	counter->last = "stopped";
	return 0;
}

static const struct cell_linked_hook start_hook = {
	{ CELL_LINKED_START, sizeof(struct cell_linked_hook) }, "counter", "starts", starts
};
static const struct cell_linked_hook stop_hook = {
	{ CELL_LINKED_STOP, sizeof(struct cell_linked_hook) }, "counter", "stops", stops
};
static const struct cell_linked_service service = { .linked = { CELL_LINKED_SERVICE,
								sizeof service },
						    .service = "counter",
						    .state_size = sizeof(struct counter) };
static const struct cell_linked_kept kept = { .linked = { CELL_LINKED_KEPT, sizeof kept },
					      .service = "counter",
					      .table = &counter_table };
CELL_LINK(start_link, start_hook);
CELL_LINK(stop_link, stop_hook);
CELL_LINK(service_link, service);
CELL_LINK(kept_link, kept);

static struct cell_ref counter_ref = CELL_REF("counter");

static void setup(void)
{
	static struct memdb memdb;

	(void)setenv("CELL_RUNDIR", "/nonexistent", 1);
	(void)setenv("CELL_LOG", "err", 1);
	note_type = bank_receipt_type;
	note_type.name = "Note";
	note_type.schema = &note_schema;
	counter_table.version = memdb_version(&told);
	shared = memdb_shared_new();
	memdb = (struct memdb){ "celldb", &told, 1, shared };
	crew_start(&crew, &(struct crew_member){ "celldb", memdb_serve, &memdb }, 1);
	call = crew.clients[0];
	other = crew.clients[1];
	runs = losses = 0;
	must_fail = false;
}

static void teardown(void)
{
	crew_stop(&crew);
	memdb_shared_free(shared);
}

#define ok(r) ck_assert_msg((r) == 0, "%s", cell_error(call)->text)

static int add_some(int64_t n, struct bank_receipt *out)
{
	runs = 0;
	return cell_invoke(call, &counter_ref, &add_method.method,
			   &(struct bank_receipt){ .balance = n, .owner = "Ada Lovelace" },
			   out);
}

static struct counter stored(void)
{
	struct counter counter = { 0 };
	int r = cell_table_get(other, &counter_table, 0, &counter, &counter);

	ck_assert_msg(r == 0 || r == CELL_NOT_FOUND, "%s", cell_error(other)->text);
	return counter;
}

START_TEST(what_a_handler_changed_lasts)
{
	struct bank_receipt out;

	ok(add_some(5, &out));
	ck_assert_int_eq(out.balance, 5);
	ck_assert_str_eq(out.owner, "Ada Lovelace");
	ok(add_some(6, &out));
	ck_assert_int_eq(out.balance, 11);
	ck_assert_int_eq(stored().n, 11);
	ck_assert_str_eq(stored().last, "Ada Lovelace");
	ck_assert_uint_eq(stored().starts, 1);
}
END_TEST

START_TEST(handler_that_fails_leaves_nothing)
{
	struct bank_receipt out;

	ok(add_some(5, &out));
	must_fail = true;
	ck_assert_int_eq(add_some(7, &out), CELL_FAILED_PRECONDITION);
	ck_assert_str_eq(cell_error(call)->text, "no");
	ck_assert_int_eq(stored().n, 5);
	ok(cell_invoke(call, &counter_ref, &look_method.method,
		       &(struct bank_receipt){ .owner = "" }, &out));
	ck_assert_int_eq(out.balance, 5);
}
END_TEST

START_TEST(loser_of_a_race_runs_again_on_what_is_there_now)
{
	struct bank_receipt out;

	ok(add_some(5, &out));
	losses = 3;
	ok(add_some(1, &out));
	ck_assert_uint_eq(runs, 4);
	ck_assert_int_eq(out.balance, 3006);
	ck_assert_int_eq(stored().n, 3006);
	losses = 9;
	ck_assert_int_eq(add_some(1, &out), CELL_ABORTED);
	ck_assert_uint_eq(runs, 5);
}
END_TEST

START_TEST(reading_alone_commits_nothing)
{
	struct bank_receipt out;
	unsigned from;

	ok(add_some(5, &out));
	from = shared->n_said;
	ok(cell_invoke(call, &counter_ref, &look_method.method,
		       &(struct bank_receipt){ .owner = "" }, &out));
	ck_assert_uint_eq(shared->n_said, from + 1);
	ck_assert_uint_eq(shared->said[from], MEMDB_GET);
}
END_TEST

static int list(int64_t *ret_last)
{
	struct cell_stream *stream;
	struct bank_receipt *item;

	runs = 0;
	stream = cell_stream_open(call, &counter_ref, &list_method.method,
				  &(struct bank_receipt){ .owner = "" });
	while ((item = cell_stream_recv(stream)))
		*ret_last = item->balance;
	return cell_stream_end(stream, NULL);
}

START_TEST(streaming_handler_runs_once)
{
	int64_t last = 0;

	ok(list(&last));
	ck_assert_int_eq(last, 3);
	ck_assert_int_eq(stored().n, 3);
	losses = 1;
	ck_assert_int_eq(list(&last), CELL_ABORTED);
	ck_assert_uint_eq(runs, 1);
	ck_assert_int_eq(stored().n, 1003);
}
END_TEST

START_TEST(function_at_the_end_has_the_state_too)
{
	struct bank_receipt out;

	ok(add_some(5, &out));
	cell_close(call);
	crew.clients[0] = NULL;
	ck_assert_str_eq(stored().last, "stopped");
	ck_assert_int_eq(stored().n, 5);
}
END_TEST

START_TEST(state_that_cannot_be_had_is_told_at_the_start)
{
	struct bank_receipt out;

	shared->lie_len = 1;
	shared->lie[0] = 0x08; /* a number that is cut short */
	ck_assert_int_eq(cell_table_put(other, &counter_table,
					&(struct counter){ .last = "" }),
			 0);
	ck_assert_int_eq(add_some(5, &out), CELL_INTERNAL);
	ck_assert_ptr_nonnull(strstr(cell_error(call)->text, "the state in table counter"));
	ck_assert_ptr_nonnull(strstr(cell_error(call)->text, "counter.n: cut short"));
	ck_assert_uint_eq(runs, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("kept");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_a_handler_changed_lasts);
	tcase_add_test(tc, handler_that_fails_leaves_nothing);
	tcase_add_test(tc, loser_of_a_race_runs_again_on_what_is_there_now);
	tcase_add_test(tc, reading_alone_commits_nothing);
	tcase_add_test(tc, streaming_handler_runs_once);
	tcase_add_test(tc, function_at_the_end_has_the_state_too);
	tcase_add_test(tc, state_that_cannot_be_had_is_told_at_the_start);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
