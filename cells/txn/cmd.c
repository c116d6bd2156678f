/* cell txn: transactions over several cells. See cell-txn(1). */
#include <stdio.h>
#include <string.h>

#include <cell/cell.h>
#include <cell/internal/command.h>

#include "txn.cell.h"

#define ID_BYTES  16
#define ID_DIGITS (2 * ID_BYTES)

static const struct opts_argument id_argument[] = {
	{ "ID", .help = "of the transaction, or how it begins" },
	{ 0 },
};

static const struct opts_command list_table = {
	.name = "list",
	.summary = "show what is under way, and what not all participants know yet",
};
static const struct opts_command show_table = {
	.name = "show",
	.summary = "show one transaction",
	.arguments = id_argument,
};
static const struct opts_command abort_table = {
	.name = "abort",
	.summary = "give up a transaction that is not decided",
	.arguments = id_argument,
};
static const struct opts_command *const commands[] = { &list_table, &show_table, &abort_table,
						       NULL };

static const struct opts_example examples[] = {
	{ "cell txn list", "is anything in doubt?" },
	{ "cell txn show 5f02", "whom it waits for" },
	{ "cell txn abort 5f02", "its rows are free again" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell txn",
	.summary = "show and give up transactions over several cells",
	.text = "The cell txn decides transactions over more than one cell; a decision to commit "
		"is kept until every participant knows it.",
	.examples = examples,
	.commands = commands,
	.has_json = true,
};

static const char *state_name(enum txn_state state)
{
	switch (state) {
	case TXN_STATE_PENDING: return "pending";
	case TXN_STATE_COMMITTED: return "committed";
	default: return "aborted";
	}
}

static const char *id_text(const struct txn_transaction *it, char out[static ID_DIGITS + 1])
{
	out[0] = '\0';
	for (size_t i = 0; i < it->n_txn && i < ID_BYTES; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", it->txn[i]);
	return out;
}

static json_t *to_json(const struct txn_transaction *it)
{
	char id[ID_DIGITS + 1];
	json_t *waiting = json_array();

	for (size_t i = 0; i < it->n_waiting; i++)
		(void)json_array_append_new(waiting, json_string(it->waiting[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:I}", "txn", id_text(it, id), "state",
			 state_name(it->state), "owner", it->owner, "waiting", waiting,
			 "age_ms", (json_int_t)it->age_ms);
}

static void waiting_text(const struct txn_transaction *it, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < it->n_waiting; i++)
		(void)snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? ", " : "",
			       it->waiting[i]);
}

/* ---- list ---------------------------------------------------------------------------------
 */

static void print_rows(struct command *command, const struct txn_listed *all)
{
	static const struct out_column columns[] = {
		{ .title = "TXN" },
		{ .title = "STATE" },
		{ "OWNER", .may_shrink = true },
		{ "AGE", .is_right = true },
		{ "WAITS FOR", .may_shrink = true },
		{ 0 },
	};
	struct out_table *rows = out_table_new(columns);

	for (size_t i = 0; i < all->n_transactions; i++) {
		const struct txn_transaction *it = &all->transactions[i];
		char id[ID_DIGITS + 1], age[OUT_NUMBER_SIZE], waiting[1200];

		waiting_text(it, waiting, sizeof waiting);
		out_cell(rows, OUT_PLAIN, "%s", id_text(it, id));
		out_cell(rows, it->state == TXN_STATE_COMMITTED ? OUT_WARN : OUT_PLAIN, "%s",
			 state_name(it->state));
		out_cell(rows, OUT_PLAIN, "%s", *it->owner ? it->owner : "-");
		out_cell(rows, OUT_PLAIN, "%s", out_duration(age, it->age_ms * 1000000));
		out_cell(rows, OUT_PLAIN, "%s", waiting);
	}
	out_table_print(rows, &command->out);
	out_table_free(rows);
}

static int list(struct command *command)
{
	struct txn_listed all;
	int err = txn_list(command_call(command), &(struct txn_list_request){ 0 }, &all);
	json_t *rows;

	if (err)
		return err;
	if (command->is_json) {
		rows = json_array();
		for (size_t i = 0; i < all.n_transactions; i++)
			(void)json_array_append_new(rows, to_json(&all.transactions[i]));
		return command_json(command,
				    json_pack("{s:o, s:I, s:I}", "transactions", rows,
					      "committed", (json_int_t)all.committed,
					      "aborted", (json_int_t)all.aborted));
	}
	print_rows(command, &all);
	command_note(command,
		     "%zu under way; since it started %" PRIu64 " committed, %" PRIu64
		     " aborted",
		     all.n_transactions, all.committed, all.aborted);
	return 0;
}

/* ---- show, abort --------------------------------------------------------------------------
 */

/* The one whose id begins as the argument says. */
static int find(struct command *command, struct txn_transaction *ret)
{
	const char *wanted = command_arg(command, 0);
	struct txn_listed all;
	char id[ID_DIGITS + 1];
	size_t n = 0;
	int err;

	if (!*wanted || strlen(wanted) > ID_DIGITS ||
	    strspn(wanted, "0123456789abcdef") != strlen(wanted))
		return command_fail(command, CELL_INVALID_ARGUMENT,
				    "'%s' is no id: up to %d digits of 0-9a-f", wanted,
				    ID_DIGITS);
	err = txn_list(command_call(command), &(struct txn_list_request){ 0 }, &all);
	for (size_t i = 0; !err && i < all.n_transactions; i++)
		if (strncmp(id_text(&all.transactions[i], id), wanted, strlen(wanted)) == 0) {
			*ret = all.transactions[i];
			n++;
		}
	if (err)
		return err;
	if (n > 1)
		return command_fail(command, CELL_INVALID_ARGUMENT,
				    "%zu transactions begin with '%s': say more of it", n,
				    wanted);
	return n ? 0
		 : command_fail(command, CELL_NOT_FOUND,
				"no transaction '%s' is under way: it was given up, or is "
				"committed and known everywhere",
				wanted);
}

static int show(struct command *command)
{
	char id[ID_DIGITS + 1], age[OUT_NUMBER_SIZE], waiting[1200];
	struct txn_transaction it;
	int err = find(command, &it);

	if (err)
		return err;
	if (command->is_json)
		return command_json(command, to_json(&it));
	waiting_text(&it, waiting, sizeof waiting);
	printf("txn      %s\nstate    %s\nowner    %s\nage      %s\n%s  %s\n",
	       id_text(&it, id), state_name(it.state),
	       *it.owner ? it.owner : "a program outside of any cell",
	       out_duration(age, it.age_ms * 1000000),
	       it.state == TXN_STATE_COMMITTED ? "to tell" : "cells  ", waiting);
	return 0;
}

static int give_up(struct command *command)
{
	struct txn_transaction it;
	struct txn_aborted nothing;
	char id[ID_DIGITS + 1];
	int err = find(command, &it);

	if (!err)
		err = txn_abort(command_call(command),
				&(struct txn_abort_request){ .n_txn = it.n_txn,
							     .txn = it.txn },
				&nothing);
	if (err)
		return err;
	if (command->is_json)
		return command_json(command, json_pack("{s:s}", "aborted", id_text(&it, id)));
	command_note(command, "%s is given up", id_text(&it, id));
	return 0;
}

int main(int argc, char **argv)
{
	struct command command;

	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	if (command.opts.command == &show_table)
		return command_end(&command, show(&command));
	if (command.opts.command == &abort_table)
		return command_end(&command, give_up(&command));
	return command_end(&command, list(&command));
}
