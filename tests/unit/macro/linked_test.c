/*
 * Services that are linked into a program: the bank of bank_expanded.c stands in for the
 * cell of that name, with no node anywhere. Its records are there because the test refers to
 * one of them; a program of its own links the file itself.
 */
#include "bank.cell.h"

#include "libcell/callstate.h"

#include <cell/cell.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <ops.cell.h>

#include "google/protobuf/descriptor.pb-c.h"

/* As in another file of the program; brings bank_expanded.o in. */
extern const struct cell_linked_method cell_method_bank_deposit;

static struct cell_call *call;

static void setup(void)
{
	(void)setenv("CELL_RUNDIR", "/nonexistent", 1);
	(void)unsetenv("CELL_CONTROL_FD");
	ck_assert_str_eq(cell_method_bank_deposit.service, "bank");
	call = cell_open("linked-test");
}

static void teardown(void)
{
	cell_close(call);
}

static struct bank_receipt paid(uint32_t account, int64_t amount)
{
	struct bank_receipt receipt = { 0 };
	int r = bank_deposit(call, &(struct bank_deposit){ account, amount }, &receipt);

	ck_assert_msg(r == 0, "%s", cell_error(call)->text);
	return receipt;
}

static void fails(int r, int code, const char *text)
{
	ck_assert_int_eq(r, code);
	ck_assert_str_eq(cell_error(call)->text, text);
}

START_TEST(linked_service_stands_in_for_the_cell)
{
	ck_assert_int_eq(paid(1, 5).balance, 5);
	ck_assert_str_eq(paid(1, 6).owner, "Ada");
	ck_assert_int_eq(paid(1, 1).balance, 12);
}
END_TEST

START_TEST(errors_come_with_their_text)
{
	struct bank_receipt receipt = { .balance = 77 };

	fails(bank_deposit(call, &(struct bank_deposit){ 1, 0 }, &receipt), CELL_INVALID_ARGUMENT,
	      "amount 0 is not positive");
	fails(bank_deposit(call, &(struct bank_deposit){ 9, 1 }, &receipt), CELL_NOT_FOUND,
	      "no account with id 9");
	ck_assert_int_eq(receipt.balance, 77); /* written on success only */
}
END_TEST

START_TEST(positive_result_is_internal)
{
	fails(bank_odd(call), CELL_INTERNAL, "cell.bank.v1.Bank/Odd returned 1");
}
END_TEST

START_TEST(server_streams)
{
	struct bank_list_cursor all;
	unsigned n = 0;

	(void)paid(2, 100);
	(void)paid(3, 50);
	all = bank_list(call, &(struct bank_filter){ .has_min_balance = true, .min_balance = 60 });
	for (struct bank_entry *entry; (entry = bank_list_next(&all)); n++) {
		ck_assert_uint_eq(entry->account, 2);
		ck_assert_int_eq(entry->balance, 100);
	}
	ck_assert_int_eq(bank_list_end(&all), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(client_streams)
{
	struct bank_total_stream stream = bank_total_open(call);
	struct bank_receipt receipt;

	for (int64_t i = 1; i <= 1000; i++)
		ck_assert_int_eq(bank_total_send(&stream, &(struct bank_deposit){ 0, i }), 0);
	ck_assert_int_eq(bank_total_close(&stream, &receipt), 0);
	ck_assert_int_eq(receipt.balance, 500500);
	ck_assert_str_eq(receipt.owner, "all");
}
END_TEST

START_TEST(both_stream)
{
	struct bank_each_stream stream = bank_each_open(call);

	for (int64_t i = 1; i <= 100; i++) {
		struct bank_entry *entry;

		ck_assert_int_eq(bank_each_send(&stream, &(struct bank_deposit){ 3, i }), 0);
		entry = bank_each_recv(&stream);
		ck_assert_ptr_nonnull(entry);
		ck_assert_int_eq(entry->balance, -i);
	}
	ck_assert_int_eq(bank_each_close_send(&stream), 0);
	ck_assert_ptr_null(bank_each_recv(&stream));
	ck_assert_int_eq(bank_each_close(&stream), 0);
}
END_TEST

START_TEST(nothing_in_and_nested_out)
{
	struct bank_report report;

	(void)paid(0, 3);
	ck_assert_int_eq(bank_write(call, &report), 0);
	ck_assert_uint_eq(report.n_entries, 4);
	ck_assert_int_eq(report.entries[0].balance, 3);
	ck_assert_int_eq(report.best->balance, 3);
	ck_assert_str_eq(report.currency, "EUR");
}
END_TEST

/* The bytes are as they came, although the handler read the text in them. */
START_TEST(raw_request_keeps_its_bytes)
{
	struct bank_receipt receipt = { .balance = 1, .owner = "ab", .status = BANK_STATUS_CLOSED };
	static const uint8_t bytes[] = { 8, 1, 18, 2, 'a', 'b', 24, 1 };
	struct bank_signature signature;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof bytes; i++)
		sum += bytes[i];
	ck_assert_int_eq(bank_sign(call, &receipt, &signature), 0);
	ck_assert_uint_eq(signature.bytes, sizeof bytes);
	ck_assert_uint_eq(signature.sum, sum);
}
END_TEST

START_TEST(deadline_ends_a_handler_that_waits)
{
	struct cell_call *soon = cell_within_ms(call, 30);

	fails(bank_nap(soon, &(struct bank_deposit){ 0, 60000 }), CELL_DEADLINE_EXCEEDED,
	      "cell.bank.v1.Bank/Nap: no answer in time");
	ck_assert_int_eq(paid(1, 5).balance, 5); /* and the process serves on */
}
END_TEST

START_TEST(handlers_wait_side_by_side)
{
	struct bank_nap_future naps[8];

	for (size_t i = 0; i < 8; i++)
		naps[i] = bank_nap_start(call, &(struct bank_deposit){ 0, 50 });
	for (size_t i = 0; i < 8; i++)
		ck_assert_int_eq(bank_nap_wait(&naps[i]), 0);
	ck_assert_uint_ge(call->root->rt->linked != NULL, 1);
}
END_TEST

static int peer_refused;

/* What admits a call runs before its bytes are looked at: these are no message at all. */
START_TEST(admission_comes_before_decoding)
{
	static const uint8_t nonsense[] = { 0xff };
	static struct cell_ref ref = CELL_REF("bank");
	struct cell_call *thief;
	const uint8_t *bytes;
	size_t len;

	ck_assert_int_eq(cell_invoke_bytes(call, &ref, 0, "cell.bank.v1.Bank/Deposit", nonsense,
					   sizeof nonsense, &bytes, &len), CELL_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(cell_error(call)->text, "request of cell.bank.v1.Bank/Deposit: "
							     "Deposit"));
	thief = cell_open("thief");
	(void)strcpy(thief->root->rt->cell, "thief"); /* as cellcore would have said */
	peer_refused = cell_invoke_bytes(thief, &ref, 0, "cell.bank.v1.Bank/Deposit", nonsense,
					 sizeof nonsense, &bytes, &len);
	ck_assert_int_eq(peer_refused, CELL_PERMISSION_DENIED);
	ck_assert_str_eq(cell_error(thief)->text, "not for thief");
	cell_close(thief);
}
END_TEST

START_TEST(each_root_call_has_a_bank_of_its_own)
{
	struct cell_call *other = cell_open("other");
	struct bank_receipt receipt;

	(void)paid(1, 5);
	ck_assert_int_eq(bank_deposit(other, &(struct bank_deposit){ 1, 2 }, &receipt), 0);
	ck_assert_int_eq(receipt.balance, 2);
	cell_close(other);
}
END_TEST

START_TEST(cell_of_another_name_is_asked_for)
{
	static struct cell_ref ref = CELL_REF("bankrupt");
	const uint8_t *bytes;
	size_t len;

	ck_assert_int_eq(cell_invoke_bytes(call, &ref, 0, "cell.bank.v1.Bank/Odd", NULL, 0, &bytes,
					   &len), CELL_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(cell_error(call)->text, "no node"));
}
END_TEST

/* --- the schema ---------------------------------------------------------------------------- */

static Google__Protobuf__FileDescriptorSet *schema(void)
{
	struct ops_schema_report report;
	Google__Protobuf__FileDescriptorSet *set;

	ck_assert_int_eq(ops_schema(cell_to(call, "bank", 0), &report), 0);
	set = google__protobuf__file_descriptor_set__unpack(NULL, report.n_file_descriptor_set,
							    report.file_descriptor_set);
	ck_assert_ptr_nonnull(set);
	return set;
}

static const char *comment_at(const Google__Protobuf__FileDescriptorProto *file, size_t n,
			      const int32_t *path)
{
	for (size_t i = 0; i < file->source_code_info->n_location; i++) {
		const Google__Protobuf__SourceCodeInfo__Location *at =
			file->source_code_info->location[i];

		if (at->n_path == n && memcmp(at->path, path, n * sizeof *path) == 0)
			return at->leading_comments;
	}
	return "";
}

static int32_t message_index(const Google__Protobuf__FileDescriptorProto *file, const char *name)
{
	for (size_t i = 0; i < file->n_message_type; i++)
		if (strcmp(file->message_type[i]->name, name) == 0)
			return (int32_t)i;
	ck_abort_msg("no message %s", name);
	return -1;
}

START_TEST(schema_says_what_the_source_said)
{
	Google__Protobuf__FileDescriptorSet *set = schema();
	const Google__Protobuf__FileDescriptorProto *file = NULL;
	const Google__Protobuf__ServiceDescriptorProto *service;
	int32_t deposit, report;

	for (size_t i = 0; i < set->n_file; i++)
		if (strcmp(set->file[i]->name, "bank.proto") == 0)
			file = set->file[i];
	ck_assert_ptr_nonnull(file);
	ck_assert_str_eq(file->package, "cell.bank.v1");
	ck_assert_str_eq(file->dependency[0], "common.proto");
	ck_assert_uint_eq(file->n_service, 1);
	service = file->service[0];
	ck_assert_str_eq(service->name, "Bank");
	ck_assert_uint_eq(service->n_method, 8);
	ck_assert_str_eq(service->method[0]->name, "Deposit");
	ck_assert_str_eq(service->method[0]->input_type, ".cell.bank.v1.Deposit");
	ck_assert_str_eq(service->method[0]->output_type, ".cell.bank.v1.Receipt");
	ck_assert_str_eq(service->method[1]->name, "Each");
	ck_assert(service->method[1]->client_streaming && service->method[1]->server_streaming);
	ck_assert_str_eq(service->method[4]->name, "Odd");
	ck_assert_str_eq(service->method[4]->input_type, ".cell.common.v1.Empty");
	ck_assert_int_eq(service->method[2]->options->idempotency_level,
			 GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__IDEMPOTENT);
	report = message_index(file, "Report");
	ck_assert_str_eq(file->message_type[report]->field[0]->type_name, ".cell.bank.v1.Entry");
	deposit = message_index(file, "Deposit");
	ck_assert_str_eq(comment_at(file, 2, (const int32_t[]){ 4, deposit }),
			 " Money for an account.\n");
	ck_assert_str_eq(comment_at(file, 4, (const int32_t[]){ 4, deposit, 2, 0 }),
			 " From 0 to 3.\n");
	ck_assert_str_eq(comment_at(file, 4, (const int32_t[]){ 6, 0, 2, 0 }),
			 " Put money in.\n Says what is there then.\n");
	ck_assert_str_eq(comment_at(file, 2, (const int32_t[]){ 6, 0 }),
			 " Keeps what people bring.\n");
	google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
}
END_TEST

/* --- refusals ------------------------------------------------------------------------------- */

START_TEST(nothing_linked_says_so)
{
	fails(cell_serve_records(call, NULL, NULL), CELL_FAILED_PRECONDITION,
	      "no handlers linked in; an archive needs --whole-archive");
}
END_TEST

static int never(const void *handlers, struct cell_call *one, void *self, const void *in, void *out)
{
	(void)handlers, (void)one, (void)self, (void)in, (void)out;
	return 0;
}

#define METHOD(full, message)                                                                 \
	{ .linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },                \
	  .service = "x",                                                                     \
	  .method = { .name = "M", .full_name = full, .hash = 1, .in = message, .out = message }, \
	  .invoke = never }

static int serve_one(const struct cell_linked *const *records, size_t n)
{
	return cell_serve_records(call, records, records + n);
}

START_TEST(message_without_a_description_is_refused)
{
	static const struct cell_linked_method method = METHOD("cell.x.v1.X/M", &bank_receipt_type);
	static const struct cell_linked *const records[] = { &method.linked };

	fails(serve_one(records, 1), CELL_INVALID_ARGUMENT,
	      "cell.x.v1.X: message 'cell.bank.v1.Receipt' is not described in this program");
}
END_TEST

START_TEST(two_full_names_of_one_service_are_refused)
{
	static const struct cell_linked_method a = METHOD("cell.x.v1.X/M", &cell_empty_type);
	static const struct cell_linked_method b = METHOD("cell.y.v1.Y/M", &cell_empty_type);
	static const struct cell_linked *const records[] = { &a.linked, &b.linked };

	ck_assert_int_eq(serve_one(records, 2), CELL_ALREADY_EXISTS);
}
END_TEST

static int fail_to_start(struct cell_call *one, void *self)
{
	(void)self;
	return cell_refuse(one, CELL_UNAVAILABLE, "no vault");
}

START_TEST(start_that_fails_ends_it)
{
	static const struct cell_linked_method method = METHOD("cell.x.v1.X/M", &cell_empty_type);
	static const struct cell_linked_hook hook = {
		.linked = { CELL_LINKED_START, sizeof hook }, .service = "x", .name = "unlock",
		.run = fail_to_start,
	};
	static const struct cell_linked *const records[] = { &method.linked, &hook.linked };

	fails(serve_one(records, 2), CELL_UNAVAILABLE, "unlock: no vault");
	fails(serve_one(records, 2), CELL_FAILED_PRECONDITION, "linked services are served already");
}
END_TEST

START_TEST(states_of_two_sizes_are_refused)
{
	static const struct cell_linked_service a = { { CELL_LINKED_SERVICE, sizeof a }, "x", 8, "" };
	static const struct cell_linked_service b = { { CELL_LINKED_SERVICE, sizeof b }, "x", 16, "" };
	static const struct cell_linked *const records[] = { &a.linked, &b.linked };

	fails(serve_one(records, 2), CELL_ALREADY_EXISTS,
	      "x: two files disagree about its state: 8 and 16 bytes");
}
END_TEST

/* Provisioning comes before serving, and here there is nobody to ask. */
START_TEST(provisioning_that_fails_ends_the_start)
{
	static const uint8_t digest[32];
	static const struct cell_linked_method method = METHOD("cell.x.v1.X/M", &cell_empty_type);
	static const struct cell_provision table = {
		.linked = { CELL_LINKED_PROVISION, sizeof table }, .ns = "db", .cell = "celldb",
		.name = "table account", .digest = digest,
	};
	static const struct cell_linked *const records[] = { &method.linked, &table.linked };

	ck_assert_int_eq(serve_one(records, 2), CELL_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(cell_error(call)->text,
				     "provisioning 'table account' at cell 'celldb': "));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("linked");
	TCase *tcase = tcase_create("linked");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, linked_service_stands_in_for_the_cell);
	tcase_add_test(tcase, errors_come_with_their_text);
	tcase_add_test(tcase, positive_result_is_internal);
	tcase_add_test(tcase, server_streams);
	tcase_add_test(tcase, client_streams);
	tcase_add_test(tcase, both_stream);
	tcase_add_test(tcase, nothing_in_and_nested_out);
	tcase_add_test(tcase, raw_request_keeps_its_bytes);
	tcase_add_test(tcase, deadline_ends_a_handler_that_waits);
	tcase_add_test(tcase, handlers_wait_side_by_side);
	tcase_add_test(tcase, admission_comes_before_decoding);
	tcase_add_test(tcase, each_root_call_has_a_bank_of_its_own);
	tcase_add_test(tcase, cell_of_another_name_is_asked_for);
	tcase_add_test(tcase, schema_says_what_the_source_said);
	tcase_add_test(tcase, nothing_linked_says_so);
	tcase_add_test(tcase, message_without_a_description_is_refused);
	tcase_add_test(tcase, two_full_names_of_one_service_are_refused);
	tcase_add_test(tcase, start_that_fails_ends_it);
	tcase_add_test(tcase, states_of_two_sizes_are_refused);
	tcase_add_test(tcase, provisioning_that_fails_ends_the_start);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
