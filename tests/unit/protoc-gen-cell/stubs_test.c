/*
 * What stubs hand to libcell, and thunks to handlers. libcell's side is played by this
 * file: it notes what it was called with.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "services.cell.h"

static struct {
	const char *function;
	struct cell_call *call;
	const char *cell;
	const struct cell_method *method;
	const void *in;
	void *out;
	struct cell_stream *stream;
	int n_closed_sends;
} seen;

static int answer;

static struct cell_call *const the_call = (struct cell_call *)&seen;
static struct cell_stream *const the_stream = (struct cell_stream *)&answer;

static void note(const char *function, struct cell_call *call, struct cell_ref *ref,
		 const struct cell_method *method, const void *in, void *out)
{
	memset(&seen, 0, sizeof seen);
	seen.function = function;
	seen.call = call;
	seen.cell = ref->cell;
	seen.method = method;
	seen.in = in;
	seen.out = out;
}

int cell_invoke(struct cell_call *call, struct cell_ref *ref,
		const struct cell_method *method, const void *in, void *out)
{
	note("invoke", call, ref, method, in, out);
	return answer;
}

int cell_post(struct cell_call *call, struct cell_ref *ref, const struct cell_method *method,
	      const void *in)
{
	note("post", call, ref, method, in, NULL);
	return answer;
}

struct cell_future cell_invoke_start(struct cell_call *call, struct cell_ref *ref,
				     const struct cell_method *method, const void *in)
{
	note("start", call, ref, method, in, NULL);
	return (struct cell_future){ .call = call, .pending = &seen, .err = 0 };
}

int cell_invoke_wait(struct cell_future *future, void *out)
{
	ck_assert_ptr_eq(future->pending, &seen);
	seen.function = "wait";
	seen.out = out;
	return answer;
}

struct cell_stream *cell_stream_open(struct cell_call *call, struct cell_ref *ref,
				     const struct cell_method *method, const void *in)
{
	note("open", call, ref, method, in, NULL);
	return the_stream;
}

int cell_stream_send(struct cell_stream *stream, const void *item)
{
	seen.function = "send";
	seen.stream = stream;
	seen.in = item;
	return answer;
}

void *cell_stream_recv(struct cell_stream *stream)
{
	static struct shapes_test_answer item = { .number = 5 };

	seen.function = "recv";
	seen.stream = stream;
	return answer ? NULL : &item;
}

int cell_stream_close_send(struct cell_stream *stream)
{
	seen.stream = stream;
	seen.n_closed_sends++;
	return 0;
}

int cell_stream_end(struct cell_stream *stream, void *out)
{
	seen.function = "end";
	seen.stream = stream;
	seen.out = out;
	return answer;
}

static void was(const char *function, size_t method, const void *in, void *out)
{
	ck_assert_str_eq(seen.function, function);
	ck_assert_ptr_eq(seen.call, the_call);
	ck_assert_str_eq(seen.cell, "shapes-test");
	ck_assert_ptr_eq(seen.method, &shapes_test_methods[method]);
	if (in)
		ck_assert_ptr_eq(seen.in, in);
	else
		ck_assert_ptr_nonnull(seen.in);
	if (out)
		ck_assert_ptr_eq(seen.out, out);
}

static void setup(void)
{
	memset(&seen, 0, sizeof seen);
	answer = 0;
}

START_TEST(unary_stubs_invoke)
{
	struct shapes_test_question in = { .text = "?" };
	struct shapes_test_answer out;

	answer = CELL_NOT_FOUND;
	ck_assert_int_eq(shapes_test_ask(the_call, &in, &out), CELL_NOT_FOUND);
	was("invoke", 0, &in, &out);
	ck_assert_int_eq(shapes_test_tell(the_call, &in), CELL_NOT_FOUND);
	was("invoke", 1, &in, NULL);
	ck_assert_int_eq(shapes_test_poll(the_call, &out), CELL_NOT_FOUND);
	was("invoke", 2, NULL, &out);
	ck_assert_int_eq(shapes_test_delete(the_call), CELL_NOT_FOUND);
	was("invoke", 3, NULL, NULL);
	ck_assert_ptr_nonnull(seen.out);
}
END_TEST

START_TEST(what_returns_nothing_can_be_posted)
{
	struct shapes_test_question in = { .text = "!" };

	ck_assert_int_eq(shapes_test_tell_post(the_call, &in), 0);
	was("post", 1, &in, NULL);
	ck_assert_int_eq(shapes_test_delete_post(the_call), 0);
	was("post", 3, NULL, NULL);
}
END_TEST

START_TEST(futures_start_and_wait)
{
	struct shapes_test_question in = { .text = "?" };
	struct shapes_test_answer out;
	struct shapes_test_ask_future future = shapes_test_ask_start(the_call, &in);
	struct shapes_test_delete_future deletion;

	was("start", 0, &in, NULL);
	answer = CELL_ABORTED;
	ck_assert_int_eq(shapes_test_ask_wait(&future, &out), CELL_ABORTED);
	was("wait", 0, &in, &out);
	deletion = shapes_test_delete_start(the_call);
	was("start", 3, NULL, NULL);
	ck_assert_int_eq(shapes_test_delete_wait(&deletion), CELL_ABORTED);
	ck_assert_ptr_nonnull(seen.out);
}
END_TEST

START_TEST(cursors_go_over_what_a_server_streams)
{
	struct shapes_test_question in = { .text = "?" };
	struct shapes_test_ask_many_cursor all = shapes_test_ask_many(the_call, &in);
	struct shapes_test_watch_cursor watch;
	struct shapes_test_answer *item;

	was("open", 4, &in, NULL);
	item = shapes_test_ask_many_next(&all);
	ck_assert_uint_eq(item->number, 5);
	ck_assert_ptr_eq(seen.stream, the_stream);
	answer = CELL_DATA_LOSS;
	ck_assert_ptr_null(shapes_test_ask_many_next(&all));
	ck_assert_int_eq(shapes_test_ask_many_end(&all), CELL_DATA_LOSS);
	ck_assert_str_eq(seen.function, "end");
	ck_assert_ptr_null(seen.out);

	watch = shapes_test_watch(the_call);
	was("open", 5, NULL, NULL);
	ck_assert_int_eq(shapes_test_watch_end(&watch), CELL_DATA_LOSS);
}
END_TEST

START_TEST(client_streams_close_with_the_reply)
{
	struct leaf_leaf leaf = { .label = "l" };
	struct shapes_test_question in = { .text = "?" };
	struct shapes_test_answer out;
	struct shapes_test_collect_stream collect = shapes_test_collect_open(the_call);
	struct shapes_test_drop_stream drop;

	ck_assert_ptr_eq(seen.method, &shapes_test_methods[6]);
	ck_assert_ptr_null(seen.in);
	ck_assert_int_eq(shapes_test_collect_send(&collect, &leaf), 0);
	ck_assert_ptr_eq(seen.in, &leaf);
	ck_assert_int_eq(shapes_test_collect_close(&collect, &out), 0);
	ck_assert_int_eq(seen.n_closed_sends, 1);
	ck_assert_ptr_eq(seen.out, &out);

	drop = shapes_test_drop_open(the_call);
	ck_assert_int_eq(shapes_test_drop_send(&drop, &in), 0);
	ck_assert_int_eq(shapes_test_drop_close(&drop), 0);
	ck_assert_ptr_nonnull(seen.out);
}
END_TEST

START_TEST(two_way_streams_close_each_way)
{
	struct shapes_test_question in = { .text = "?" };
	struct shapes_test_talk_stream talk = shapes_test_talk_open(the_call);

	ck_assert_ptr_eq(seen.method, &shapes_test_methods[8]);
	ck_assert_int_eq(shapes_test_talk_send(&talk, &in), 0);
	ck_assert_uint_eq(shapes_test_talk_recv(&talk)->number, 5);
	ck_assert_int_eq(shapes_test_talk_close_send(&talk), 0);
	ck_assert_int_eq(seen.n_closed_sends, 1);
	ck_assert_int_eq(shapes_test_talk_close(&talk), 0);
	ck_assert_str_eq(seen.function, "end");
	ck_assert_ptr_null(seen.out);
}
END_TEST

/* --- the serving side --------------------------------------------------- */

static int on_ask(struct cell_call *call, void *self, const struct shapes_test_question *in,
		  struct shapes_test_answer *out)
{
	ck_assert_ptr_eq(call, the_call);
	out->text = in->text;
	out->number = *(uint32_t *)self;
	return CELL_OUT_OF_RANGE;
}

static int on_tell(struct cell_call *call, void *self, const struct shapes_test_question *in)
{
	(void)call;
	*(uint32_t *)self = (uint32_t)strlen(in->text);
	return 0;
}

static int on_delete(struct cell_call *call, void *self)
{
	(void)call;
	*(uint32_t *)self = 99;
	return 0;
}

static int on_talk(struct cell_call *call, void *self, struct shapes_test_question_source *in,
		   struct shapes_test_answer_sink *out)
{
	static const struct shapes_test_answer item = { .number = 1 };

	(void)call;
	(void)self;
	(void)shapes_test_question_recv(in);
	ck_assert_ptr_eq(seen.stream, the_stream);
	ck_assert_int_eq(shapes_test_answer_send(out, &item), 0);
	ck_assert_ptr_eq(seen.in, &item);
	return 7;
}

START_TEST(thunks_call_typed_handlers)
{
	static const struct shapes_test_handlers handlers = {
		.ask = on_ask,
		.tell = on_tell,
		.delete_ = on_delete,
		.talk = on_talk,
	};
	struct shapes_test_question in = { .text = "four" };
	struct shapes_test_answer out = { .number = 0 };
	cell_invoke_fn *const *thunks = shapes_test_service.invoke;
	uint32_t self = 3;

	ck_assert_int_eq(thunks[0](&handlers, the_call, &self, &in, &out), CELL_OUT_OF_RANGE);
	ck_assert_str_eq(out.text, "four");
	ck_assert_uint_eq(out.number, 3);
	ck_assert_int_eq(thunks[1](&handlers, the_call, &self, &in, NULL), 0);
	ck_assert_uint_eq(self, 4);
	ck_assert_int_eq(thunks[3](&handlers, the_call, &self, NULL, NULL), 0);
	ck_assert_uint_eq(self, 99);
	ck_assert_int_eq(thunks[8](&handlers, the_call, &self, the_stream, the_stream), 7);
}
END_TEST

START_TEST(what_has_no_handler_is_unimplemented)
{
	static const struct shapes_test_handlers none;

	for (size_t i = 0; i < shapes_test_service.n_methods; i++)
		ck_assert_int_eq(shapes_test_service.invoke[i](&none, the_call, NULL, NULL,
							       NULL),
				 CELL_UNIMPLEMENTED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stubs");
	TCase *tc = tcase_create("stubs");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, unary_stubs_invoke);
	tcase_add_test(tc, what_returns_nothing_can_be_posted);
	tcase_add_test(tc, futures_start_and_wait);
	tcase_add_test(tc, cursors_go_over_what_a_server_streams);
	tcase_add_test(tc, client_streams_close_with_the_reply);
	tcase_add_test(tc, two_way_streams_close_each_way);
	tcase_add_test(tc, thunks_call_typed_handlers);
	tcase_add_test(tc, what_has_no_handler_is_unimplemented);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
