/* Calls all that the running bank says it has. */
#include <cell/cell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

[[cell::remote(bank = "bank")]];

#define EXPECT(claim)                                                             \
	do {                                                                      \
		if (!(claim)) {                                                   \
			printf("line %d: %s: %s\n", __LINE__, #claim, cell_error(call)->text); \
			exit(1);                                                  \
		}                                                                 \
	} while (0)

[[telemetry::span]]
static int simple(struct cell_call *call)
{
	struct bank_audit_receipt time;
	struct bank_receipt receipt;

	EXPECT(bank_deposit(call, &(struct bank_deposit){ .account = 1, .amount = 5 }, &receipt) == 0);
	EXPECT(receipt.balance >= 5 && strcmp(receipt.owner, "ada") == 0);
	EXPECT(bank_deposit(call, &(struct bank_deposit){ .account = 1 }, &receipt) == CELL_INVALID_ARGUMENT);
	EXPECT(strcmp(cell_error(call)->text, "amount: 0 is not within 1 and 1000000") == 0);
	EXPECT(bank_deposit(call, &(struct bank_deposit){ .account = 9, .amount = 1 }, &receipt) == CELL_NOT_FOUND);
	EXPECT(bank_audit_time(call, &time) == 0);
	EXPECT(strcmp(time.owner, "nine to five") == 0);
	EXPECT(bank_audit_note(call, &(struct bank_audit_receipt){ .balance = 1 }) == 0);
	EXPECT(bank_audit_note(call, &(struct bank_audit_receipt){ .balance = -1 }) == CELL_OUT_OF_RANGE);
	return 0;
}

static void streams(struct cell_call *call)
{
	struct bank_list_cursor all = bank_list(call, &(struct bank_filter){ .has_min_balance = true, .min_balance = 1 });
	struct bank_collect_stream collect = bank_collect_open(call);
	struct bank_exchange_stream exchange = bank_exchange_open(call);
	const struct bank_receipt *each;
	struct bank_receipt sum;
	int n = 0;

	for (; bank_list_next(&all); )
		n++;
	EXPECT(bank_list_end(&all) == 0 && n == 1);
	for (int i = 1; i <= 100; i++)
		EXPECT(bank_collect_send(&collect, &(struct bank_deposit){ .account = 2, .amount = i }) == 0);
	EXPECT(bank_collect_close(&collect, &sum) == 0 && sum.balance == 5050);
	collect = bank_collect_open(call);
	(void)bank_collect_send(&collect, &(struct bank_deposit){ .account = 2 });
	EXPECT(bank_collect_close(&collect, &sum) == CELL_INVALID_ARGUMENT);
	for (int i = 1; i <= 100; i++) {
		EXPECT(bank_exchange_send(&exchange, &(struct bank_deposit){ .account = 3, .amount = 1 }) == 0);
		EXPECT((each = bank_exchange_recv(&exchange)) && each->balance >= i);
	}
	EXPECT(bank_exchange_close(&exchange) == 0);
}

/* Every kind of member, there and back; the bytes go into FILE, for others to compare. */
static void profiles(struct cell_call *call, FILE *file)
{
	static const char *const tags[] = { "old", "", "zürich" };
	static const enum bank_standing was[] = { BANK_STANDING_OPEN, BANK_STANDING_FROZEN };
	static const int64_t history[] = { -1, 0, INT64_MAX };
	static const struct bank_holder others[] = { { .name = "b" }, { .name = "c", .has_born = true } };
	static const struct cell_bytes keys[] = { { 2, (const uint8_t *)"\0\1" }, { 0, NULL } };
	static const struct bank_holder swiss = { .name = "s" };
	static const struct bank_profile_limits_entry limits[] = { { .key = "ch", .value = &swiss } };
	static const uint8_t iban[16] = "CH9300762011623";
	static const int32_t quarters[] = { 1, -2, 3, 0 };
	static const struct bank_holder holder = { .name = "ada", .has_born = true, .born = 1815 };
	struct bank_profile in = {
		.account = UINT64_MAX, .holder = &holder, .heir = &others[1],
		.standing = BANK_STANDING_FROZEN, .n_tags = 3, .tags = tags,
		.n_photo = 3, .photo = (const uint8_t *)"\0\xff\1", .n_was = 2, .was = was,
		.n_history = 3, .history = history, .n_others = 2, .others = others,
		.n_keys = 2, .keys = keys, .n_limits = 1, .limits = limits, .currency = "CHF",
		.n_iban = 16, .iban = iban, .n_quarters = 4, .quarters = quarters,
		.has_rate = true, .rate = 0, .has_note = true, .note = "", .has_seal = true,
		.weight = 1.5f, .is_vip = true, .delta = -7, .visits = 9,
	}, out;
	uint8_t *a = malloc(cell_bank_profile_type.bound(&in)), *b;
	size_t n = (size_t)(cell_bank_profile_type.encode(&in, a) - a);

	EXPECT(bank_file(call, &in, &out) == 0);
	EXPECT(out.visits == 9 && out.has_rate && out.n_others == 2 && strcmp(out.currency, "CHF") == 0);
	EXPECT(out.has_note && strcmp(out.tags[2], "zürich") == 0 && out.heir->has_born);
	b = malloc(cell_bank_profile_type.bound(&out));
	EXPECT((size_t)(cell_bank_profile_type.encode(&out, b) - b) == n && memcmp(a, b, n) == 0);
	EXPECT(fwrite(a, 1, n, file) == n && fclose(file) == 0);
	free(a);
	free(b);
	in.holder = &(struct bank_holder){ .name = "" };
	EXPECT(bank_file(call, &in, &out) == CELL_INVALID_ARGUMENT);
	EXPECT(strcmp(cell_error(call)->text, "name: 0 bytes, not 1 to 40") == 0);
}

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("client");

	(void)simple(call);
	streams(call);
	profiles(call, fopen(argc > 1 ? argv[1] : "/dev/null", "w"));
	puts("every method answered");
	return cell_exit(call, 0);
}
