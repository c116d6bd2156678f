/*
 * A provider of macros for stories, of the namespace that it is given: one that does what it
 * is asked to, one that answers garbage, one that sleeps, one that dies.
 *
 *	macro_provider NS            all of that, by the macro's argument
 *	macro_provider NS garbage    bytes that are no message
 *	macro_provider NS nonsense   messages that make no sense
 */
#include <cell/cell.h>
#include <cell/macro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *ns_list[2];
static unsigned expanded; /* how often */

/* --- one that behaves ------------------------------------------------------------------ */

static const char *noun(const struct cell_macro_work *work)
{
	return cell_macro_declaration(work)->name;
}

static int plan_add(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "%s_%s", noun(work), mine->ns);
}

static int expand_add(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct cell_piece *piece =
		cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE);

	expanded++;
	/* Others have time to ask for the same. */
	(void)cell_sleep_ms(cell_macro_call(work),
			    (uint64_t)cell_macro_integer(work, mine, "ms", 0));
	cell_piece_put(piece, "static inline int %s_%s(void) { return 1; }\n", noun(work), mine->ns);
	return 0;
}

static int plan_wrap(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return cell_plan_wrap(work, mine, (enum macro_phase)cell_macro_integer(work, mine, "phase", 50),
			      NULL, NULL);
}

static int expand_wrap(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	int64_t phase = cell_macro_integer(work, mine, "phase", 50);
	const char *name = cell_macro_printf(work, "cell_%d_%s", (int)phase, noun(work));
	struct cell_piece *piece =
		cell_piece_wrap(work, mine, (enum macro_phase)phase, name);

	cell_piece_put(piece, "/* %s */ static int %s(int a) { return $next$(a); }\n", mine->ns, name);
	return 0;
}

static int plan_give(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	int r = cell_plan_provides(work, cell_macro_text(work, mine, "key", ""));

	/* It may need something itself: that is how circles come about. */
	if (r == 0 && cell_macro_argument(work, mine, "needs"))
		r = cell_plan_wants(work, mine, cell_macro_text(work, mine, "needs", ""),
				    cell_macro_text(work, mine, "key", ""),
				    !cell_macro_flag(work, mine, "must", false));
	return r;
}

/* A comment with the answer, or with why there is none. */
static void ask(struct cell_macro_work *work, const struct macro_attribute *mine, const char *ns,
		const char *key)
{
	struct cell_piece *piece = cell_piece(work, mine, MACRO_ANCHOR_BEFORE, MACRO_PIECE_KIND_DECL);
	enum macro_query_result_outcome outcome = MACRO_QUERY_RESULT_OUTCOME_VALUE;
	const uint8_t *value;
	size_t len;

	if (cell_macro_query(work, ns, key, &value, &len, &outcome) == 0)
		cell_piece_put(piece, "/* %s of %s is %.*s */\n", key, ns, (int)len, (const char *)value);
	else
		cell_piece_put(piece, "/* %s of %s: outcome %d */\n", key, ns, (int)outcome);
}

static int expand_give(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *key = cell_macro_text(work, mine, "key", "");

	if (cell_macro_argument(work, mine, "needs"))
		ask(work, mine, cell_macro_text(work, mine, "needs", ""), key);
	return cell_macro_fact(work, key, mine->ns, strlen(mine->ns));
}

static int plan_need(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return cell_plan_wants(work, mine, cell_macro_text(work, mine, "of", ""),
			       cell_macro_text(work, mine, "key", ""),
			       !cell_macro_flag(work, mine, "must", false));
}

static int expand_need(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	ask(work, mine, cell_macro_text(work, mine, "of", ""), cell_macro_text(work, mine, "key", ""));
	return 0;
}

/* --- one that does not ------------------------------------------------------------------ */

static bool is_asked(struct cell_macro_work *work, const struct macro_attribute *mine, const char *what)
{
	return strcmp(cell_macro_text(work, mine, "what", ""), what) == 0;
}

static int plan_bad(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	if (is_asked(work, mine, "sleep-plan"))
		(void)cell_sleep_ms(cell_macro_call(work), 60000);
	if (is_asked(work, mine, "die-plan"))
		_exit(3);
	if (is_asked(work, mine, "refuse"))
		return cell_macro_refuse(work, mine, cell_macro_argument(work, mine, "what"), "not today");
	return 0;
}

static int expand_bad(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct cell_piece *piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_DECL);

	if (is_asked(work, mine, "sleep"))
		(void)cell_sleep_ms(cell_macro_call(work), 60000);
	if (is_asked(work, mine, "die"))
		_exit(3);
	if (is_asked(work, mine, "include"))
		cell_piece_put(piece, "#include <stdio.h>\n");
	if (is_asked(work, mine, "asm"))
		cell_piece_put(piece, "static inline void cell_nop(void) { __asm__(\"nop\"); }\n");
	if (is_asked(work, mine, "unplanned"))
		cell_piece_put(piece, "int sneaky;\n");
	return 0;
}

/* --- one that knows where ------------------------------------------------------------------ */

/* The word "wrong" is. */
static int plan_read(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_value *value = cell_macro_next(mine, NULL, NULL);
	const char *wrong = value ? strstr(value->text, "wrong") : NULL;

	if (wrong)
		return cell_macro_refuse_at(work, mine, value, (size_t)(wrong - value->text),
					    "nothing is called 'wrong'");
	return 0;
}

/* Declares what provisioning refuses, unless a file is there: at a member, because of a macro. */
static int expand_keep(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *body = cell_macro_printf(work, "%s\n%s\n%s", cell_macro_text(work, mine, "unless", ""),
					     cell_macro_text(work, mine, "member", ""),
					     cell_macro_text(work, mine, "macro", ""));

	return cell_macro_declare(work, mine, noun(work), body, strlen(body));
}

static int refuse_kept(struct cell_macro_work *work, const struct macro_declared *declared)
{
	char *unless = cell_arena_strndup(cell_arena(cell_macro_call(work)),
					  (const char *)declared->body, declared->n_body);
	char *member = strchr(unless, '\n'), *macro = strchr(member + 1, '\n');

	*member++ = *macro++ = 0;
	if (access(unless, F_OK) == 0)
		return 0;
	(void)cell_provision_refuse_member(work, declared, CELL_FAILED_PRECONDITION, member, macro,
					   "17 rows are against it");
	cell_macro_note(work, "mend them first");
	return CELL_FAILED_PRECONDITION;
}

/* --- questions and provisioning -------------------------------------------------------------- */

/*
 * "first:NS:KEY": that is to be asked of NS before; its value comes back in brackets.
 * "down:N": N - 1 of the same kind first, to the end of any patience. "sleep": never.
 */
static int query(struct cell_call *call, void *self, const struct macro_query *in,
		 struct macro_query_result *out)
{
	struct macro_query *first = cell_arena_calloc(cell_arena(call), 1, sizeof *first);
	const char *at = strchr(in->key, ':');
	char *text;
	int n;

	(void)self;
	if (strcmp(in->key, "sleep") == 0)
		(void)cell_sleep_ms(call, 60000);
	if (strcmp(in->key, "unknown") == 0) {
		out->outcome = MACRO_QUERY_RESULT_OUTCOME_UNKNOWN;
		return 0;
	}
	if (strncmp(in->key, "down:", 5) == 0) {
		n = atoi(in->key + 5);
		first->ns = in->ns;
		first->key = cell_arena_printf(cell_arena(call), "down:%d", n - 1);
		if (n > 0 && in->n_facts == 0) {
			out->first = first;
			return 0;
		}
	}
	if (strncmp(in->key, "first:", 6) == 0 && in->n_facts == 0) {
		at++;
		first->ns = cell_arena_strndup(cell_arena(call), at, strcspn(at, ":"));
		first->key = at + strcspn(at, ":") + 1;
		out->first = first;
		return 0;
	}
	text = in->n_facts ? cell_arena_printf(cell_arena(call), "[%.*s]", (int)in->facts[0].n_value,
					       (const char *)in->facts[0].value)
			   : cell_arena_strdup(cell_arena(call), in->key);
	*out = (struct macro_query_result){ .value = (const uint8_t *)text, .n_value = strlen(text) };
	return 0;
}

static int provision(struct cell_macro_work *work, const struct macro_declared *declared,
		     bool only_check)
{
	if (strcmp(declared->name, "count") == 0)
		return cell_provision_changed(work, "expanded %u times", expanded);
	if (strcmp(declared->name, "bad") == 0) {
		(void)cell_provision_refuse(work, declared, CELL_FAILED_PRECONDITION, "it holds rows");
		cell_macro_note(work, "add a default");
		return CELL_FAILED_PRECONDITION;
	}
	if (declared->n_body > 0)
		return refuse_kept(work, declared);
	return cell_provision_changed(work, "%s %s", only_check ? "would create" : "created",
				      declared->name);
}

/* --- the table ------------------------------------------------------------------------------------ */

#define WHERE (CELL_MACRO_BIT(MACRO_PLACE_FUNCTION) | CELL_MACRO_BIT(MACRO_PLACE_STRUCT))

static const struct cell_macro_argument wrap_arguments[] = {
	{ "phase", MACRO_VALUE_KIND_INTEGER, .is_positional = true, .fallback = "50" }, { 0 } };
static const struct cell_macro_argument add_arguments[] = {
	{ "ms", .kind = MACRO_VALUE_KIND_INTEGER }, { 0 } };
static const struct cell_macro_argument give_arguments[] = {
	{ "key", MACRO_VALUE_KIND_STRING, .is_positional = true, .is_required = true },
	{ "needs", .kind = MACRO_VALUE_KIND_IDENTIFIER },
	{ "must", .kind = MACRO_VALUE_KIND_BOOL },
	{ 0 } };
static const struct cell_macro_argument need_arguments[] = {
	{ "of", MACRO_VALUE_KIND_IDENTIFIER, .is_positional = true, .is_required = true },
	{ "key", MACRO_VALUE_KIND_STRING, .is_positional = true, .is_required = true },
	{ "must", .kind = MACRO_VALUE_KIND_BOOL },
	{ 0 } };
static const struct cell_macro_argument bad_arguments[] = {
	{ "what", MACRO_VALUE_KIND_STRING, .is_positional = true, .is_required = true }, { 0 } };

static const struct cell_macro_argument keep_arguments[] = {
	{ "unless", .kind = MACRO_VALUE_KIND_STRING },
	{ "member", .kind = MACRO_VALUE_KIND_STRING }, { "macro", .kind = MACRO_VALUE_KIND_STRING }, { 0 } };
static const struct cell_macro_argument ask_arguments[] = {
	{ "text", MACRO_VALUE_KIND_STRING, .is_positional = true, .is_required = true }, { 0 } };

static const struct cell_macro macros[] = {
	{ "add", .doc = "Adds a function.", .places = WHERE, .arguments = add_arguments,
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS), .plan = plan_add, .expand = expand_add },
	{ "wrap", .doc = "Wraps a function.", .places = CELL_MACRO_BIT(MACRO_PLACE_FUNCTION),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_WRAP), .arguments = wrap_arguments,
	  .plan = plan_wrap, .expand = expand_wrap },
	{ "give", .doc = "Gives others a fact.", .places = WHERE, .arguments = give_arguments,
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS), .plan = plan_give, .expand = expand_give },
	{ "need", .doc = "Needs a fact of another.", .places = WHERE, .arguments = need_arguments,
	  .is_repeatable = true, .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .plan = plan_need, .expand = expand_need },
	{ "bad", .doc = "Misbehaves.", .places = WHERE, .arguments = bad_arguments,
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS), .plan = plan_bad, .expand = expand_bad },
	{ "asm", .doc = "May have asm.", .places = WHERE, .arguments = bad_arguments,
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_ASM), .plan = plan_bad, .expand = expand_bad },
	{ "ask", .doc = "A question.", .places = WHERE, .arguments = ask_arguments, .plan = plan_read },
	{ "check", .doc = "A rule.", .takes_expression = true, .is_repeatable = true,
	  .places = WHERE | CELL_MACRO_BIT(MACRO_PLACE_MEMBER), .plan = plan_read },
	{ "keep", .doc = "Is refused by whom it is kept.", .places = CELL_MACRO_BIT(MACRO_PLACE_STRUCT),
	  .arguments = keep_arguments, .expand = expand_keep },
	{ 0 },
};

static const struct cell_macro_provider provider = {
	.namespaces = ns_list, .macros = macros, .query = query, .provision = provision,
};

/* --- garbage -------------------------------------------------------------------------------------- */

static size_t garbage_bound(const void *message)
{
	(void)message;
	return 16;
}

/* Field 1 with a length that nothing follows. */
static uint8_t *garbage_encode(const void *message, uint8_t *out)
{
	(void)message;
	memcpy(out, "\x0a\xff\xff\xff\x7f\xde\xad\xbe\xef", 9);
	return out + 9;
}

static int nonsense_plan(struct cell_call *call, void *self, const struct macro_plan_request *in,
			 struct macro_plan *out)
{
	static const struct macro_planned_symbol symbols[] = { { "not a name", false, 0, 999 } };

	(void)call;
	(void)self;
	(void)in;
	*out = (struct macro_plan){ .n_symbols = 1, .symbols = symbols };
	return 0;
}

static int nonsense_expand(struct cell_call *call, void *self, struct macro_to_provider_source *in,
			   struct macro_from_provider_sink *out)
{
	(void)call;
	(void)self;
	(void)macro_to_provider_recv(in);
	return macro_from_provider_send(out, &(struct macro_from_provider){ 0 });
}

static int serve_wrong(struct cell_call *call, bool is_garbage)
{
	static const struct macro_provider_handlers handlers = {
		.plan_expansion = nonsense_plan, .coordinate_expansion = nonsense_expand };
	static struct cell_message_type types[8];
	static struct cell_method methods[8];
	static struct cell_service service;

	service = macro_provider_service;
	memcpy(methods, service.methods, service.n_methods * sizeof *methods);
	for (size_t i = 0; is_garbage && i < service.n_methods; i++) {
		types[i] = *methods[i].out;
		types[i].bound = garbage_bound;
		types[i].encode = garbage_encode;
		methods[i].out = &types[i];
	}
	service.methods = methods;
	return cell_serve(call, &service, &handlers, NULL);
}

int main(int argc, char **argv)
{
	struct cell_call *call;
	int err;

	if (argc < 2)
		return 2;
	ns_list[0] = argv[1];
	call = cell_open(argv[1]);
	err = argc == 2 ? cell_provide_macros(call, &provider, NULL)
			: serve_wrong(call, strcmp(argv[2], "garbage") == 0);
	return cell_exit(call, err ? err : cell_loop_run(call));
}
